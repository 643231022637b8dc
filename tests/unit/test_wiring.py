from pathlib import Path

import pytest
import structlog

from orchestrator.core.log import warn
from orchestrator.wiring import find_pinned_version
from tests.tools.bench import Bench


def test_what_is_logged_keeps_stdout_for_documents(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        warn("database.left_behind", database="ledger__restore_1")
    finally:
        structlog.reset_defaults()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "ledger__restore_1" in captured.err


def test_what_runs_is_the_tag_of_the_pin_as_it_is_now(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan
    env = plan.target.project / ".env"
    env.parent.mkdir(exist_ok=True)
    found = []
    for text in ("APP_VERSION=v1.1.0@sha256:" + "0" * 64, "APP_VERSION=v1.2.0", "OTHER=1", "\udcff"):
        env.write_bytes(f"{text}\n".encode("utf-8", "surrogateescape"))
        found.append(find_pinned_version(plan))
    env.unlink()
    assert [*found, find_pinned_version(plan)] == ["v1.1.0", "v1.2.0", None, None, None]
