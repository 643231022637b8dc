"""Probe the app over HTTP from outside."""

import time
from collections.abc import Mapping

import requests
import urllib3

from orchestrator.adapters.http.addresses import is_private_address
from orchestrator.adapters.http.asked_address import build_headers
from orchestrator.adapters.http.client import new_session, read_body, run_bounded
from orchestrator.core.model.workloads import ProbeAnswer

_MAX_BYTES = 64 * 1024


class HttpProbe:
    """Asks once, as a user would: certificates are checked, nothing is retried, redirects are not followed."""

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        """Send one GET, over after ``timeout_s`` seconds in all; at most 64 KiB of the body. Never raises.

        ``asked`` is the address that users ask, where ``url`` is another one of the same app.
        """
        try:
            headers = build_headers(asked) if asked else {}
            return run_bounded(lambda: _ask(url, headers, timeout_s), timeout_s)
        except TimeoutError:
            return ProbeAnswer(status=None, error=f"no full answer within {timeout_s:g} s")
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as problem:
            return ProbeAnswer(status=None, error=_explain(problem))


def _ask(url: str, headers: Mapping[str, str], timeout_s: float) -> ProbeAnswer:
    ends_at = time.monotonic() + timeout_s
    with new_session(url) as session:
        session.trust_env = session.trust_env and not is_private_address(url)  # a container's address
        request = session.get(url, headers=dict(headers), timeout=timeout_s, stream=True, allow_redirects=False)
        with request as response:
            body = read_body(response, _MAX_BYTES, ends_at)
            return ProbeAnswer(status=response.status_code, body=body.decode("utf-8", errors="replace"))


def _explain(problem: Exception) -> str:
    for kind, text in (
        (requests.exceptions.SSLError, "its certificate is not trusted"),
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.exceptions.ConnectionError, "no connection"),
    ):
        if isinstance(problem, kind):
            return text
    return f"no usable answer ({type(problem).__name__})"
