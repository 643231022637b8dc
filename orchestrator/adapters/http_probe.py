"""One look at the app from outside."""

from __future__ import annotations

import time

import requests

from orchestrator.model import ProbeAnswer

_MAX_BYTES = 64 * 1024


class HttpProbe:
    """Implements `orchestrator.ports.Probe`.

    A session of its own for each look, so that no kept connection answers for a container that is gone;
    proxies of the environment are not asked, because a user on this host would not ask them either.
    """

    def get(self, url: str, *, timeout_s: float) -> ProbeAnswer:
        """GET without following redirects; whatever the app does is an answer."""
        with requests.Session() as session:
            session.trust_env = False
            try:
                with session.get(url, timeout=timeout_s, allow_redirects=False, stream=True) as response:
                    body = _read(response, time.monotonic() + timeout_s)
                    return ProbeAnswer(status=response.status_code, body=body)
            except (requests.RequestException, UnicodeError) as error:
                return ProbeAnswer(status=None, error=_say(error))


def _read(response: requests.Response, until: float) -> str:
    content = b""
    # Each chunk has the timeout anew: without a limit of our own a slow drip would hold us for ever.
    for chunk in response.iter_content(4096):
        content += chunk
        if len(content) >= _MAX_BYTES or time.monotonic() > until:
            break
    return content[:_MAX_BYTES].decode("utf-8", "replace")


def _say(error: Exception) -> str:
    if isinstance(error, requests.ConnectTimeout | requests.ReadTimeout):
        return "no answer in time"
    if isinstance(error, requests.ConnectionError):
        return "connection refused or broken"
    return type(error).__name__
