"""Releases announced by nothing but the tags of their images (OCI distribution API)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import requests

from orchestrator.adapters.addresses import is_loopback, is_private_channel, is_same_origin
from orchestrator.adapters.http import (
    DEFAULT_LIMITS,
    Answer,
    Document,
    Limits,
    denied,
    fetch,
    fetch_json,
    hostile,
    new_session,
)
from orchestrator.adapters.page_memory import PageMemory
from orchestrator.adapters.release_file import read_release
from orchestrator.model import Release
from orchestrator.releases import is_comparable

_MAX_PAGES = 20
_UNAUTHORIZED = 401
_CHALLENGE = re.compile(r'(?<!\w)(\w{1,32})="([^"]*)"', re.ASCII)


class RegistryFeed:
    """Tags of ``image`` (``ghcr.io/yourorg/app``, ``app`` on Docker Hub) that read like a version.

    ``login`` is user and password; it goes to the registry or to the token server that the registry names,
    never unencrypted over a network. Loopback registries are spoken to in plain HTTP.
    """

    def __init__(self, image: str, login: tuple[str, str] | None = None, *, limits: Limits = DEFAULT_LIMITS) -> None:
        host, self._name = split_image(image)
        scheme = "http" if is_loopback(f"//{host}") else "https"
        self._url = f"{scheme}://{host}/v2/{self._name}/tags/list?n=1000"
        self._login = login
        self._limits = limits
        self._memory = PageMemory()

    def list_releases(self) -> tuple[Release, ...]:
        """Read page after page, twenty at most; signatures and tags without an order are left out.

        Raises:
            ReleaseError: as `orchestrator.adapters.http.fetch_json`.
        """
        releases: list[Release] = []
        headers: dict[str, str] = {}
        url: str | None = self._url
        with new_session(self._url, retries=self._limits.retries) as session:
            for _ in range(_MAX_PAGES):
                if url is None:
                    break
                page, headers = self._read_page(session, url, headers)
                releases += _read_tags(url, page.content)
                url = self._require_ours(page.next_url)
        self._memory.forget_others()
        return tuple(releases)

    def _read_page(
        self, session: requests.Session, url: str, headers: dict[str, str]
    ) -> tuple[Document, dict[str, str]]:
        condition = self._memory.condition(url)
        answer = fetch(session, url, {**headers, **condition}, limits=self._limits)
        if answer.status == _UNAUTHORIZED:
            headers = {"Authorization": self._authorize(answer)}
            answer = fetch(session, url, {**headers, **condition}, limits=self._limits)
        return self._memory.read(url, answer, limits=self._limits), headers

    def _authorize(self, refusal: Answer) -> str:
        scheme, _, parameters = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        if scheme.lower() == "bearer":
            return self._fetch_token(refusal.url, dict(_CHALLENGE.findall(parameters)))
        if scheme.lower() == "basic" and self._login and is_private_channel(refusal.url):
            return _basic(self._login)
        raise denied(refusal.url, refusal.status)

    def _fetch_token(self, url: str, challenge: Mapping[str, str]) -> str:
        realm = challenge.get("realm", "")
        # The realm comes from the registry: never hand a login to an address that anybody can listen to, nor
        # let a registry elsewhere make us knock on this machine's own doors.
        if not is_private_channel(realm) or (is_loopback(realm) and not is_loopback(url)):
            raise hostile(url, "names a token server that cannot be trusted")
        query = {"service": challenge.get("service", ""), "scope": f"repository:{self._name}:pull"}
        headers = {"Authorization": _basic(self._login)} if self._login else {}
        joint = "&" if urlsplit(realm).query else "?"
        with new_session(realm, retries=self._limits.retries) as session:
            page = fetch_json(session, f"{realm}{joint}{urlencode(query)}", headers, limits=self._limits)
        return f"Bearer {_read_token(realm, page.content)}"

    def _require_ours(self, next_url: str | None) -> str | None:
        if next_url is not None and not is_same_origin(self._url, next_url):
            raise hostile(self._url, "says that its next page is on another host")
        return next_url


def split_image(image: str) -> tuple[str, str]:
    """Host of the registry's API and name of the repository there, as Docker reads an image without a tag."""
    first, slash, rest = image.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost"):
        first, rest = "docker.io", image
    if first not in ("docker.io", "index.docker.io"):
        return first, rest
    return "registry-1.docker.io", rest if "/" in rest else f"library/{rest}"


def _read_tags(url: str, content: object) -> list[Release]:
    # A repository whose tags were all deleted answers `null`.
    tags = (content.get("tags") or []) if isinstance(content, dict) else None
    if not isinstance(tags, list):
        raise hostile(url, "sent something that is no list of tags")
    versions = (tag for tag in tags if isinstance(tag, str) and is_comparable(tag))
    found = (read_release({"version": version}) for version in versions)
    return [release for release in found if release is not None]


def _read_token(url: str, content: object) -> str:
    fields = content if isinstance(content, dict) else {}
    token = fields.get("token") or fields.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise hostile(url, "sent no token")
    return token


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")
