"""Command line of the image: `ledger serve` and `ledger migrate`.

Settings come from the environment: DATABASE_URL (required), HOST (127.0.0.1; the image says 0.0.0.0), PORT
(5100), APP_VERSION (what this image calls itself), RELEASES_FILE, or RELEASES_REPOSITORY and RELEASES_API (where
releases are announced; without them nobody is told of newer ones), LEDGER_RELEASES and LEDGER_RELEASE (folder of
releases, and which one this is; set by the image).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from .app import create_app
from .database import CONNECT_TIMEOUT_S, Database
from .migrations import MigrationError, migrate
from .release import Release, ReleaseError, load_release
from .server import serve

if TYPE_CHECKING:
    from orchestrator.core.ports.releases import ReleaseFeed


class SettingError(Exception):
    """A setting is missing or makes no sense; the message names it."""


def main() -> int:
    """Run the command; 0 when it has done its work, 1 when it could not, 2 for a usage error."""
    parser = argparse.ArgumentParser(prog="ledger", description="A ledger whose entries form a hash chain.")
    parser.add_argument("command", choices=["serve", "migrate"], help="the app, or its schema")
    command = parser.parse_args().command
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        release = load_release(Path(_setting("LEDGER_RELEASES")), _setting("LEDGER_RELEASE"))
        url = _setting("DATABASE_URL")
        if command == "migrate":
            _migrate(url, release)
        else:
            app = create_app(Database(url), release, os.environ.get("APP_VERSION", "dev"), _feed())
            serve(app, _host(), _port())
    except (SettingError, MigrationError, ReleaseError, psycopg.Error, OSError) as error:
        print(f"ledger {command}: {error}".strip(), file=sys.stderr)
        return 1
    return 0


def _migrate(url: str, release: Release) -> None:
    with psycopg.connect(
        url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S, application_name="ledger migrate"
    ) as connection:
        migrate(connection, release, lambda line: print(f"migrate: {line}", flush=True))


def _setting(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"{name} is not set")
    return value


def _feed() -> ReleaseFeed | None:
    if not (os.environ.get("RELEASES_FILE") or os.environ.get("RELEASES_REPOSITORY")):
        return None
    from .telling import choose_feed  # noqa: PLC0415 - what tells nobody starts without it

    return choose_feed(os.environ)


def _host() -> str:
    return os.environ.get("HOST", "127.0.0.1")


def _port() -> int:
    text = os.environ.get("PORT", "5100")
    if not text.isdecimal():
        raise SettingError(f"PORT must be a number, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
