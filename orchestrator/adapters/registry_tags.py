"""Releases as the tags of an image, by the OCI distribution API."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from orchestrator.adapters.http import fetch_json, make_session
from orchestrator.errors import ReleaseError
from orchestrator.model import Release
from orchestrator.releases import is_comparable

_PAGES_AT_MOST = 20
_TIMEOUT_S = 15.0
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_TAG = re.compile(r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")


class RegistryFeed:
    """Implements `orchestrator.ports.ReleaseFeed`; ``image`` is a repository as in ``docker pull``, without a tag."""

    def __init__(self, image: str, *, base: str | None = None, token: str | None = None) -> None:
        self._base, self._repository = split_image(image)
        self._base = (base or self._base).rstrip("/")
        self._what = f"Registry {self._base}, repository {self._repository}"
        self._token = token

    def list_releases(self) -> tuple[Release, ...]:
        """Tags that are versions; signatures and names like ``latest`` are left out."""
        url: str | None = f"{self._base}/v2/{self._repository}/tags/list?n=1000"
        tags: list[str] = []
        with make_session() as session:
            headers = self._authorize(session, url or "")
            for _ in range(_PAGES_AT_MOST):
                if url is None:
                    break
                answer = fetch_json(session, url, headers, what=self._what)
                tags += self._read(answer.document)
                url = answer.next_url
        return tuple(Release(version=tag) for tag in tags if _TAG.match(tag) and is_comparable(tag))

    def _authorize(self, session: requests.Session, url: str) -> Mapping[str, str]:
        """The header that the registry's own challenge leads to; none where it asks for none."""
        try:
            challenge = session.get(url, timeout=_TIMEOUT_S, allow_redirects=False).headers.get("WWW-Authenticate", "")
        except requests.RequestException as error:
            raise ReleaseError(
                "releases.unreachable",
                f"{self._what} cannot be reached: {type(error).__name__}.",
                meaning="Nothing was touched.",
                hint="Look at the network, or name a release source that can be reached from here.",
            ) from error
        if not challenge.lower().startswith("bearer "):
            return {}
        asked = dict(_CHALLENGE.findall(challenge))
        realm = asked.pop("realm", "")
        if urlsplit(realm).scheme != "https" and urlsplit(self._base).scheme == "https":
            raise ReleaseError("releases.hostile", f"{self._what} sends us to an unprotected address for a token.")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        document = fetch_json(session, f"{realm}?{urlencode(asked)}", headers, what=self._what).document
        token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
        return {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}

    def _read(self, document: Any) -> list[str]:
        tags = document.get("tags") if isinstance(document, dict) else None
        if tags is None and isinstance(document, dict) and "tags" in document:
            return []
        if not isinstance(tags, list):
            raise ReleaseError(
                "releases.hostile",
                f"{self._what} does not answer with a list of tags.",
                meaning="Nothing was touched.",
            )
        return [tag for tag in tags if isinstance(tag, str)]


def split_image(image: str) -> tuple[str, str]:
    """(base address, repository) of an image as ``docker pull`` reads its name."""
    host, _, rest = image.partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost"):
        return "https://registry-1.docker.io", image if rest else f"library/{image}"
    if host == "docker.io":
        return "https://registry-1.docker.io", rest if "/" in rest else f"library/{rest}"
    return f"{'http' if _is_loopback(host) else 'https'}://{host}", rest


def _is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
