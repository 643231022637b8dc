"""The web application: a page for people and the API.

Where releases are announced, ``/api/version`` and the page tell of newer ones, by the blueprint of `webapi`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import psycopg
from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import BadRequest, HTTPException, ServiceUnavailable

from . import store
from .database import Database
from .release import Release

if TYPE_CHECKING:
    from orchestrator.core.ports.releases import ReleaseFeed

MAX_BODY_CHARACTERS = 10_000
MAX_PAGE = 1000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)

_log = logging.getLogger("ledger")


def create_app(database: Database, release: Release, app_version: str, feed: ReleaseFeed | None = None) -> Flask:
    """Build the application of `release`, which calls itself `app_version`; `feed` lists what else there is."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    reported = release.reported(app_version)
    _add_health(app, database, release, reported)
    if feed is None:
        app.add_url_rule("/api/version", "version", lambda: {"current": reported})
    else:
        from .telling import tell  # noqa: PLC0415 - what tells nobody starts without it

        tell(app, feed, reported)
    _add_entries(app, database, release)
    _add_page(app, database, release, reported, tells=feed is not None)
    app.register_error_handler(HTTPException, _show_refusal)
    app.register_error_handler(psycopg.Error, _show_database_error)
    return app


def _add_health(app: Flask, database: Database, release: Release, reported: str) -> None:
    @app.get("/api/health")
    def health() -> Response:
        with database.session() as connection:
            _refuse_obstacle(connection, release)
        return jsonify(status="ok", version=reported, schema=release.schema)


def _add_entries(app: Flask, database: Database, release: Release) -> None:
    @app.post("/api/entries")
    def add() -> tuple[Response, int]:
        body = _read_body()
        with database.session() as connection:
            _refuse_obstacle(connection, release)
            entry = store.append(connection, body)
        return jsonify(id=entry.id, hash=entry.hash, prev_hash=entry.prev_hash), 201

    @app.get("/api/entries")
    def page() -> Response:
        after = _read_number("after", default=0)
        limit = min(_read_number("limit", default=100), MAX_PAGE)
        with database.session() as connection:
            return jsonify(entries=store.read_page(connection, release, after, limit))

    @app.get("/api/chain")
    def chain() -> Response:
        with database.session() as connection:
            verdict = store.verify_chain(connection)
        return jsonify(entries=verdict.entries, intact=verdict.intact, head=verdict.head, broken_at=verdict.broken_at)


def _add_page(app: Flask, database: Database, release: Release, reported: str, *, tells: bool) -> None:
    @app.get("/")
    def index() -> Response:
        with database.session() as connection:
            entries = store.read_newest(connection, release, limit=20)
        text = render_template("index.html", entries=entries, version=reported, fields=release.fields, tells=tells)
        page = Response(text)
        page.headers["Content-Security-Policy"] = POLICY
        return page


def _refuse_obstacle(connection: psycopg.Connection, release: Release) -> None:
    obstacle = store.find_obstacle(connection, release)
    if obstacle is None and not release.healthy:
        obstacle = f"release {release.version} cannot find its pricing service"
    if obstacle is not None:
        raise ServiceUnavailable(obstacle)


def _read_body() -> str:
    document = request.get_json()
    body = document.get("body") if isinstance(document, dict) else None
    if not isinstance(body, str) or not body or len(body) > MAX_BODY_CHARACTERS or "\0" in body:
        raise BadRequest(f'send {{"body": "…"}} with 1 to {MAX_BODY_CHARACTERS} characters')
    return body


def _read_number(name: str, *, default: int) -> int:
    text = request.args.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):  # noqa: PLR2004 - fits a PostgreSQL bigint
        raise BadRequest(f"{name} must be a whole number, not negative")
    return int(text)


def _show_refusal(error: HTTPException) -> tuple[Response, int]:
    return jsonify(status="error", reason=error.description), error.code or 500


def _show_database_error(error: psycopg.Error) -> tuple[Response, int]:
    _log.warning("database: %s", error)
    return jsonify(status="error", reason=f"database: {error.diag.message_primary or 'does not answer'}"), 503
