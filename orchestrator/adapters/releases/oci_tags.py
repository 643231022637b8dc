"""Read releases from the tags of their images alone (OCI distribution API)."""

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from orchestrator.adapters.http.addresses import (
    choose_admitted,
    is_loopback,
    is_private_channel,
    read_host,
    read_literal,
    resolve,
)
from orchestrator.adapters.http.budget import DEFAULT_LIMITS, Budget, Limits
from orchestrator.adapters.http.client import Answer, Line, fetch, fetch_json, read_document
from orchestrator.adapters.http.errors import denied, untrusted_response
from orchestrator.adapters.releases.file import read_releases
from orchestrator.adapters.releases.paged_listing import Page, PagedListing
from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.releases import Release
from orchestrator.releases.version_order import is_comparable

_MAX_PAGES = 20
_UNAUTHORIZED = 401
_CHALLENGE_AT_MOST = 8192
_PORTS = {"http": 80, "https": 443}
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
        self._listing = PagedListing(self._url, _MAX_PAGES)

    def list_releases(self) -> tuple[Release, ...]:
        """Read page after page, twenty at most; signatures and tags without an order are left out.

        Raises:
            ReleaseError: as `orchestrator.adapters.http.client.fetch_json`.
        """
        login: dict[str, str] = {}

        def ask(url: str, headers: Mapping[str, str]) -> Answer:
            answer = fetch(line, url, {**login, **headers})
            if answer.status != _UNAUTHORIZED:
                return answer
            login["Authorization"] = self._authorize(answer, line.budget)
            return fetch(line, url, {**login, **headers})

        with Line(self._url, Budget(self._limits)) as line:
            return self._listing.read(line, ask, _read_page)

    def _authorize(self, refusal: Answer, budget: Budget) -> str:
        scheme, _, parameters = refusal.headers.get("WWW-Authenticate", "")[:_CHALLENGE_AT_MOST].partition(" ")
        if scheme.lower() == "bearer":
            return self._fetch_token(refusal.url, dict(_CHALLENGE.findall(parameters)), budget)
        if scheme.lower() == "basic" and self._login and is_private_channel(refusal.url):
            return _basic(self._login)
        raise denied(refusal.url, refusal.status)

    def _fetch_token(self, url: str, challenge: Mapping[str, str], budget: Budget) -> str:
        realm = challenge.get("realm", "")
        # The realm comes from the registry: never hand a login to an address that anybody can listen to.
        if not is_private_channel(realm) or not read_host(realm):
            raise _untrusted(url)
        literal = read_literal(read_host(realm))
        if literal is not None:  # a proxy would resolve it for us
            _choose_address(url, str(literal), 0)
        query = {"service": challenge.get("service", ""), "scope": f"repository:{self._name}:pull"}
        headers = {"Authorization": _basic(self._login)} if self._login else {}
        joint = "&" if urlsplit(realm).query else "?"
        with Line(realm, budget, lambda host, port: _choose_address(url, host, port)) as line:
            page = fetch_json(line, f"{realm}{joint}{urlencode(query)}", headers)
        return f"Bearer {_read_token(url, page.content)}"


def split_image(image: str) -> tuple[str, str]:
    """Split an image without a tag, as Docker reads it, into the host of the registry's API and the repository
    there.
    """
    first, slash, rest = image.partition("/")
    if not slash or not (set(first) & set(".:") or first == "localhost"):
        first, rest = "docker.io", image
    if first not in ("docker.io", "index.docker.io"):
        return first, rest
    return "registry-1.docker.io", rest if "/" in rest else f"library/{rest}"


def _read_page(answer: Answer, budget: Budget) -> Page:
    document = read_document(answer, budget.limits)
    tags = _read_tags(answer.url, document.content)
    versions = ({"version": tag} for tag in tags if isinstance(tag, str) and is_comparable(tag))
    return Page(read_releases(versions, budget), len(tags), document.next_url)


def _read_tags(url: str, content: object) -> list[object]:
    # A repository whose tags were all deleted answers `null`.
    tags = (content.get("tags") or []) if isinstance(content, dict) else None
    if not isinstance(tags, list):
        raise untrusted_response(url, "sent something that is no list of tags")
    return tags


def _read_token(url: str, content: object) -> str:
    fields = content if isinstance(content, dict) else {}
    token = fields.get("token") or fields.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise untrusted_response(url, "sent no token")
    return token


# The registry says where its token server is: it must not make us knock on doors that are nearer to us than itself,
# such as this machine's own. Judged is where the name leads, and that is connected to. Its own host is the plan's.
def _choose_address(url: str, host: str, port: int) -> str:
    registry = read_host(url)
    if host.rstrip(".") == registry:
        return host
    parts = urlsplit(url)
    found = choose_admitted(resolve(host, port), resolve(registry, parts.port or _PORTS[parts.scheme]))
    if found is None:
        raise _untrusted(url)
    return str(found)


def _untrusted(url: str) -> ReleaseError:
    return untrusted_response(url, "names a token server that cannot be trusted")


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode("ascii")
