import pytest
import structlog

from orchestrator.wiring import log_to_stderr


def test_what_is_logged_keeps_stdout_for_documents(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    try:
        structlog.get_logger("orchestrator").warning("database.left_behind", database="ledger__restore_1")
    finally:
        structlog.reset_defaults()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ledger__restore_1" in captured.err
