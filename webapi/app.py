"""Build the app of ``orchestrator serve``: the version endpoint for an app that cannot mount it, and the run page."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, NotFound, ServiceUnavailable

from orchestrator.core.errors import JournalError
from orchestrator.core.ports.recovery import Recovery
from orchestrator.core.ports.releases import ReleaseFeed
from orchestrator.graphs.layout import draw_plan
from orchestrator.plan.schema import Plan
from webapi.access import OPEN_PATHS, require_loopback_name, require_token
from webapi.blueprint import read_description, version_blueprint
from webapi.runs import Runs, Stream
from webapi.security import guard

_FOLDER = Path(__file__).parent


def create_app(
    plan: Plan,
    feed: ReleaseFeed,
    current: Callable[[], str | None],
    *,
    token: str | None,
    stopping: threading.Event,
    recovery: Recovery,
) -> Flask:
    """Create the app for the plan. Without ``token`` it answers to names of this machine only.

    ``stopping`` ends the streams that are open; ``recovery`` has the commands of runbooks.
    """
    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(require_token(token) if token else require_loopback_name)
    app.after_request(guard)
    app.register_blueprint(version_blueprint(feed, current=current, description=describe_all()))
    app.register_blueprint(_runs_blueprint(plan, recovery, stopping))
    app.register_error_handler(HTTPException, _show_refusal)
    app.register_error_handler(JournalError, _show_journal_error)
    return app


def describe_all() -> bytes:
    """Return the OpenAPI description of the whole app."""
    whole: dict[str, Any] = json.loads(read_description())
    more: dict[str, Any] = json.loads((_FOLDER / "runs.openapi.json").read_bytes())
    whole["paths"] |= more["paths"]
    whole["security"] = more["security"]
    for kind, parts in more["components"].items():
        whole["components"].setdefault(kind, {}).update(parts)
    for path, operations in whole["paths"].items():
        if path not in OPEN_PATHS:
            operations["get"]["responses"]["401"] = {"$ref": "#/components/responses/Stranger"}
        operations["get"]["responses"]["421"] = {"$ref": "#/components/responses/Elsewhere"}
    return json.dumps(whole, indent=2).encode()


def _runs_blueprint(plan: Plan, recovery: Recovery, stopping: threading.Event) -> Blueprint:
    runs = Runs(plan.journal_directory, recovery)
    stream = Stream(runs, stopping)
    blueprint = Blueprint("runs", __name__)

    @blueprint.get("/")
    def page() -> str:
        return render_template("runs.html", plan=plan, drawing=draw_plan(plan))

    @blueprint.get("/api/runs")
    def overview() -> Response:
        return _uncached(runs.overview())

    @blueprint.get("/api/runs/<run_id>")
    def run(run_id: str) -> Response:
        found = runs.find(run_id)
        if found is None:
            raise NotFound("There is no such run.")
        return _uncached(found)

    @blueprint.get("/api/runs/live")
    def live() -> Response:
        events = stream.open(request.remote_addr or "")
        if events is None:
            raise ServiceUnavailable("Too many look on already.", retry_after=10)
        return Response(events, mimetype="text/event-stream", headers=[("Cache-Control", "no-store")])

    return blueprint


def _uncached(document: dict[str, Any]) -> Response:
    response = jsonify(document)
    response.headers["Cache-Control"] = "no-store"
    return response


def _show_refusal(error: HTTPException) -> Response:
    response = jsonify(reason=error.name.lower().replace(" ", "_"), message=error.description or error.name)
    response.status_code = error.code or 500
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _show_journal_error(error: JournalError) -> tuple[Response, int]:
    return jsonify(reason=error.code.rpartition(".")[2], message=error.summary), 503
