"""Build the blueprint that an app mounts: ``GET /api/version``, its notes as HTML, its health, and the web components.

An app that wants to show its version to its own users only protects the blueprint as it protects its other pages:
``blueprint.before_request(require_login)``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.datastructures import Headers

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.http.client import Limits
from orchestrator.core.ports.clock import Clock
from orchestrator.core.ports.releases import ReleaseFeed
from webapi.cache import Finding, Look, ReleaseCache
from webapi.security import DATA_HEADERS, guard
from webapi.version import View, build_view, read_current

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: For feeds of a web process: one quick question instead of several, because the next caller asks again anyway.
WEB_LIMITS = Limits(connect_s=3.0, read_s=5.0, total_s=10.0, retries=0)

_FOLDER = Path(__file__).parent
_JSON = "application/json"
_FORCE = {"": False, "false": False, "true": True}
_ASKED_AGAIN = (("Cache-Control", "private, no-cache"),)
_NEVER_KEPT = (("Cache-Control", "no-store"),)
_ALWAYS = (("Content-Type", _JSON), *DATA_HEADERS)
_BAD_FORCE = b'{"reason":"bad_request","message":"force is true or false."}\n'


def version_blueprint(
    feed: ReleaseFeed,
    *,
    current: str | Callable[[], str | None] | None = None,
    health: bool = True,
    description: bytes | None = None,
    clock: Clock | None = None,
    name: str = "version",
    url_prefix: str = "/api",
) -> Blueprint:
    """Build the blueprint, with a cache of its own; the first request makes it ask ``feed``.

    ``current`` is the running version, or a function that finds it each time; without it, ``APP_VERSION`` of the
    environment. ``health``: also answer ``GET /api/health``, for an app that has no such route itself. ``description``
    replaces the OpenAPI description, for an app that has a larger one.
    """
    said = os.environ.get("APP_VERSION") if current is None else current
    says = _Says(said if callable(said) else lambda: said, feed, clock or SystemClock(), description)
    blueprint = Blueprint(name, __name__, url_prefix=url_prefix, static_folder="static", static_url_path="/components")
    blueprint.add_url_rule("/version", "version", says.version)
    blueprint.add_url_rule("/version/notes", "notes", says.notes)
    blueprint.add_url_rule("/openapi.json", "openapi", says.description)
    if health:
        blueprint.add_url_rule("/health", "health", says.health)
    blueprint.after_request(guard)
    return blueprint


class _Whole(Response):
    """An answer that knows its length: it is sent as it was built, and nothing about it is computed again."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return its headers; copying them costs as much as the rest of this answer."""
        if self.status_code == HTTPStatus.OK and "Content-Length" in self.headers:
            return self.headers
        return super().get_wsgi_headers(environ)


@dataclass(frozen=True)
class _Rendered:
    said: str | None
    finding: Finding
    view: View
    headers: tuple[tuple[str, str], ...]
    sized_headers: tuple[tuple[str, str], ...]


class _Says:
    """The views; each answer is built once for each finding."""

    def __init__(
        self, current: Callable[[], str | None], feed: ReleaseFeed, clock: Clock, description: bytes | None
    ) -> None:
        self._current = current
        self._clock = clock
        self._description = description or read_description()
        self._cache = ReleaseCache(feed, clock)
        self._rendered = self._render(None, Finding())

    def version(self) -> Response:
        force = _FORCE.get(request.args.get("force", "")) if request.query_string else False
        if force is None:
            return Response(_BAD_FORCE, 400, mimetype=_JSON)
        return self._answer_force() if force else self._answer(self._cache.look())

    def notes(self) -> Response:
        rendered = self._choose(self._cache.look().finding)
        if not rendered.view.found:
            return self._send(rendered)
        return Response(rendered.view.notes_body, mimetype=_JSON, headers=_ASKED_AGAIN)

    def health(self) -> dict[str, str]:
        return {"status": "ok", "version": read_current(self._current())}

    def description(self) -> Response:
        return Response(self._description, mimetype=_JSON, headers=_ASKED_AGAIN)

    # A page elsewhere can make a browser ask; it shall not make us ask the source.
    def _answer_force(self) -> Response:
        wanted = request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin", "same-site")
        look = self._cache.look(force=wanted)
        response = self._answer(look)
        response.headers["X-Forced"] = "true" if look.asked else "false"
        response.headers["Cache-Control"] = "no-store"
        return response

    def _answer(self, look: Look) -> Response:
        rendered = self._choose(look.finding)
        # Not by `request.headers`, which costs more than all the rest of this.
        if request.environ.get("HTTP_IF_NONE_MATCH") == rendered.view.etag and rendered.view.found:
            return Response(status=304, headers=rendered.headers)
        return self._send(rendered)

    def _send(self, rendered: _Rendered) -> Response:
        if rendered.view.found:
            headers = Headers()
            headers[:] = rendered.sized_headers  # all at once, which costs a third of one after the other
            return _Whole(rendered.view.body, HTTPStatus.OK, headers)
        response = Response(rendered.view.body, HTTPStatus.SERVICE_UNAVAILABLE, rendered.headers)
        response.headers["Retry-After"] = str(self._seconds_until(rendered.finding.retry_at))
        return response

    def _seconds_until(self, moment: datetime | None) -> int:
        left_s = (moment - self._clock.now()).total_seconds() if moment else 1.0
        return max(1, math.ceil(left_s))

    def _choose(self, finding: Finding) -> _Rendered:
        rendered, said = self._rendered, self._current()
        if rendered.said != said or (rendered.finding is not finding and rendered.finding != finding):
            rendered = self._rendered = self._render(said, finding)
        return rendered

    def _render(self, said: str | None, finding: Finding) -> _Rendered:
        view = build_view(read_current(said), finding)
        kept = (("Cache-Control", "private, no-cache"), ("ETag", view.etag)) if view.found else _NEVER_KEPT
        headers = (*_ALWAYS, *kept)
        return _Rendered(said, finding, view, headers, (*headers, ("Content-Length", str(len(view.body)))))


def read_description() -> bytes:
    """Read the OpenAPI description of these routes."""
    return (_FOLDER / "openapi.json").read_bytes()
