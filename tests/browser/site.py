"""What the browser looks at: apps on waitress, one of which mounts the blueprint as somebody's app would."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

from flask import Flask
from waitress import create_server  # type: ignore[import-untyped]  # ships no types

from orchestrator.core.model.releases import Release
from tests.tools.feed import FakeFeed
from webapi import version_blueprint
from webapi.security import guard

NOTES = """\
### What's New
- **Faster search**: results while you type, see [the guide](https://example.org/guide)
- Exports keep their `timezone`

#### Mended
1. A login that was cut off is taken up again
2. ~~Empty~~ folders are shown

| Setting | Default |
|---|---|
| `search.live` | on |
"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Settings</title><meta name="color-scheme" content="light dark">
<script type="module" src="/api/components/update-banner.js"></script>
<script type="module" src="/api/components/version-settings.js"></script>
<link rel="icon" href="/api/components/mark.svg"><link rel="stylesheet" href="/page.css"></head>
<body><main><update-banner></update-banner><h1>Settings</h1><version-settings></version-settings></main></body></html>
"""
_STYLE = """
body { margin: 2rem auto; max-width: 46rem; padding: 0 1rem; font-family: system-ui, sans-serif }
update-banner { margin-bottom: 1rem }
"""


def release(version: str = "v1.3.0", notes: str = NOTES) -> Release:
    return Release(version=version, notes=notes, url=f"https://github.com/yourorg/app/releases/tag/{version}")


class Site:
    """An app on a port of its own, for as long as it is needed."""

    def __init__(self, app: Flask, *, stopping: threading.Event | None = None, threads: int = 24) -> None:
        self.stopping = stopping or threading.Event()
        self._server = create_server(app, host="127.0.0.1", port=0, threads=threads)
        self._thread = threading.Thread(target=self._server.run, name="site", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.effective_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.task_dispatcher.shutdown(timeout=2)
        self._server.close()


def host_app(feed: FakeFeed, *, policy: bool = True, page: str = _PAGE, current: str = "1.2.3") -> Flask:
    """An app of somebody's, whose page shows both components; without ``policy`` a browser would let anything in."""
    app = Flask("host", static_folder=None)
    app.register_blueprint(version_blueprint(feed, current=current))
    if policy:
        app.after_request(guard)

    @app.get("/")
    def index() -> str:
        return page

    @app.get("/page.css")
    def style() -> tuple[str, dict[str, str]]:
        return _STYLE, {"Content-Type": "text/css"}

    return app
