"""The command that serves pages."""

import os
import threading
from pathlib import Path

import click

from orchestrator.cli.boundary import boundary, plan_argument
from orchestrator.cli.group import main
from orchestrator.cli.plan_path import find_plan

_TOKEN_MIN = 16
_TOKEN_FILE_BYTES = 4096


@main.command()
@plan_argument
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=5180, show_default=True, help="0 takes any free one.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="File with the token that whoever looks on must know."
)
def serve(plan: Path | None, host: str, port: int, token_file: Path | None) -> None:
    """Show runs of the plan on a page, and which version there is.

    \b
    http://127.0.0.1:5180/              the run page, live
    http://127.0.0.1:5180/api/version   for the app's own page

    \b
    orchestrator serve upgrade.yaml
    orchestrator serve upgrade.yaml --host 0.0.0.0 --token-file token

    Reads only: nothing can be started from there. Anybody on this machine may look on; an address that others reach
    needs a token, which a browser asks for as a password.
    """
    from orchestrator.wiring import build_feed, build_recovery, find_pinned_version, read_resolved_plan
    from webapi.app import create_app
    from webapi.blueprint import WEB_LIMITS
    from webapi.server import serve as serve_app

    def read_current() -> str | None:
        return os.environ.get("APP_VERSION") or find_pinned_version(read)

    def announce(open_port: int) -> None:
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"Serving {read.name} on http://{shown}:{open_port}/ (Ctrl-C ends it)")

    with boundary(as_json=False):
        token = _read_token(token_file, host)
        read = read_resolved_plan(find_plan(plan))
        stopping = threading.Event()
        feed, recovery = build_feed(read, WEB_LIMITS), build_recovery()
        app = create_app(read, feed, read_current, token=token, stopping=stopping, recovery=recovery)
        try:
            serve_app(app, host, port, stopping=stopping, announce=announce)
        except OSError as error:
            what = f"Nothing can be served on {host} port {port}: {error.strerror or error}."
            hint = "Is it served there already? --port takes another one."
            raise _refusal("usage.cannot_listen", what, hint) from error


def _read_token(path: Path | None, host: str) -> str | None:
    from orchestrator.core.files import read_file
    from orchestrator.core.trust import require_trusted
    from webapi.access import is_loopback_host

    if path is None:
        if is_loopback_host(host):
            return None
        hint = "Make one (`openssl rand -hex 24 > token; chmod 600 token`) and say --token-file token."
        raise _refusal(
            "usage.token_needed", f"{host} can be reached from other machines, and no token was given.", hint
        )
    require_trusted(path)
    try:
        token = read_file(path, _TOKEN_FILE_BYTES).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _refusal("usage.token_unreadable", f"The token file {path} cannot be read.") from error
    if len(token) < _TOKEN_MIN:
        what = f"The token in {path} is shorter than {_TOKEN_MIN} characters."
        raise _refusal("usage.token_short", what, "`openssl rand -hex 24`")
    return token


def _refusal(code: str, summary: str, hint: str = "") -> Exception:
    from orchestrator.core.errors import UsageError

    return UsageError(code, summary, impact="Nothing is served.", hint=hint)
