"""What is worth a line in a log and holds up nobody. structlog costs a third of a start: the first line imports it."""

from __future__ import annotations

import sys


def warn(event: str, **facts: object) -> None:
    """One line, on stderr unless the program has configured structlog: stdout is for documents that programs read."""
    import structlog  # noqa: PLC0415 (see above)

    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    structlog.get_logger("orchestrator").warning(event, **facts)
