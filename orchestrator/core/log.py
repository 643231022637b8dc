"""Log warnings without waiting. structlog costs a third of the start-up time: the first line imports it."""

import sys

from orchestrator.redaction.redactor import PROCESS_MASK


def warn(event: str, **facts: object) -> None:
    """Log one line without secrets, on stderr unless the program has configured structlog: stdout is for documents."""
    import structlog  # noqa: PLC0415 (see above)

    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
    told = {name: PROCESS_MASK.text(value) if isinstance(value, str) else value for name, value in facts.items()}
    structlog.get_logger("orchestrator").warning(event, **told)
