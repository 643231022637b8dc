"""Monitoring and people elsewhere learn how a run ended, and nothing that goes wrong there changes how it did."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.adapters.host.metrics_file import TextfileCollector
from orchestrator.core.errors import PlatformError
from orchestrator.core.model.notices import Notice, NoticeLevel
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.release_finder import ReleaseRequest
from orchestrator.journal.journal import Journal
from orchestrator.plan.schema import MetricsSpec, NotifySpec
from orchestrator.reports.report import RunReport
from orchestrator.run.finish import notify_end
from orchestrator.run.service import Service
from tests.tools.bench import WITHOUT_REHEARSAL, Bench

PREFIX = "upgrade_orchestrator_"


class Inbox:
    """Gets what is told."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def send(self, notice: Notice, *, timeout_s: float) -> tuple[str, ...]:
        self.notices.append(notice)
        return ()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "collector").mkdir()
    return tmp_path / "collector" / "ledger.prom"


@pytest.fixture
def service(bench: Bench, page: Path) -> Service:
    plan = replace(bench.plan, metrics=MetricsSpec(file=page))
    return replace(bench.service, plan=plan, ports=replace(bench.service.ports, metrics=TextfileCollector(page)))


def run(service: Service, bench: Bench, version: str | None = None) -> RunReport:
    return service.run(ReleaseRequest(version=version), assume_yes=True, listener=bench.recorder)


def read(page: Path) -> dict[tuple[str, str], float]:
    """(metric, verdict) → value, as Prometheus reads the page."""
    families = text_string_to_metric_families(page.read_text(encoding="utf-8"))
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels["plan"] == "ledger" for sample in samples)
    assert all(family.documentation and family.type == "gauge" for family in families)
    return {(one.name.removeprefix(PREFIX), one.labels.get("verdict", "")): one.value for one in samples}


def verdict_of(samples: dict[tuple[str, str], float]) -> list[str]:
    return [verdict for (name, verdict), value in samples.items() if name == "run_verdict" and value == 1]


def test_a_commit_is_measured(service: Service, bench: Bench, page: Path) -> None:
    report = run(service, bench)
    samples = read(page)
    assert verdict_of(samples) == ["committed"]
    assert {verdict for name, verdict in samples if name == "run_verdict"} == {verdict.value for verdict in Verdict}
    assert report.run.ended_at is not None
    assert report.backup is not None
    assert samples["run_end_timestamp_seconds", ""] == report.run.ended_at.timestamp()
    assert samples["run_duration_seconds", ""] == (report.run.ended_at - report.run.began_at).total_seconds()
    assert samples["run_outage_seconds", ""] == report.outage_s
    assert samples["backup_timestamp_seconds", ""] == pytest.approx(report.backup.taken_at.timestamp(), abs=0.001)
    assert (samples["run_unfinished", ""], samples["update_available", ""]) == (0, 0)
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    assert list(page.parent.iterdir()) == [page]


def test_a_release_that_was_left_again_is_still_available(service: Service, bench: Bench, page: Path) -> None:
    bench.world.releases["v1.1.0"].announced = False
    bench.world.releases["v1.2.0"].announced = True
    run(service, bench)
    samples = read(page)
    assert verdict_of(samples) == ["rolled_back"]
    assert samples["update_available", ""] == 1


def test_a_refused_run_kept_nobody_waiting(service: Service, bench: Bench, page: Path) -> None:
    bench.world.pin_writable = False
    run(service, bench)
    samples = read(page)
    assert (verdict_of(samples), samples["run_outage_seconds", ""]) == (["refused"], 0)
    assert ("backup_timestamp_seconds", "") not in samples


def test_a_check_is_measured_before_there_was_any_run(service: Service, page: Path) -> None:
    assert service.check(ReleaseRequest()).newer
    samples = read(page)
    assert (samples["update_available", ""], samples["run_unfinished", ""]) == (1, 0)
    assert samples["update_check_timestamp_seconds", ""] == service.ports.clock.now().timestamp()
    assert verdict_of(samples) == []
    assert not service.plan.journal_directory.exists()


def test_what_a_check_has_seen_outlives_a_run_that_did_not_look(service: Service, bench: Bench, page: Path) -> None:
    service.check(ReleaseRequest())
    run(service, bench, "v1.0.0")
    samples = read(page)
    assert samples["update_available", ""] == 1
    assert len(verdict_of(samples)) == 1


def test_a_run_that_was_cut_off_is_unfinished(
    service: Service, bench: Bench, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(service.ports.workloads, "stop_services", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(service, bench)
    assert read(page)["run_unfinished", ""] == 1
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        unfinished = journal.find_unfinished()
    assert unfinished is not None
    service.close(unfinished.id)
    samples = read(page)
    assert (samples["run_unfinished", ""], verdict_of(samples)) == (0, ["needs_operator"])
    assert ("run_outage_seconds", "") not in samples  # nobody has seen it come back


@pytest.mark.parametrize("spoil", ["folder", "file"])
def test_a_page_that_cannot_be_written_changes_no_verdict(
    service: Service, bench: Bench, page: Path, spoil: str, capsys: pytest.CaptureFixture[str]
) -> None:
    page.parent.rmdir()
    if spoil == "file":
        page.parent.write_text("in the way")
    assert run(service, bench).run.exit_code == 0
    assert "cannot be written" in "".join(capsys.readouterr())  # where to depends on what was configured before


def test_a_link_in_the_place_of_the_page_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "page.prom").symlink_to(tmp_path / "victim")
    TextfileCollector(tmp_path / "page.prom").write("new\n")
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "page.prom").is_symlink()


def test_nothing_is_left_behind_where_the_page_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "page.prom").mkdir()
    with pytest.raises(PlatformError, match=r"page\.prom cannot be written"):
        TextfileCollector(tmp_path / "page.prom").write("new\n")
    assert os.listdir(tmp_path) == ["page.prom"]  # noqa: PTH208 - names are all that counts


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def tell(bench: Bench, inbox: Inbox, report: RunReport, **more: object) -> Iterator[Notice]:
    spec = NotifySpec.model_validate({"urls_variable": "URLS", **more})
    plan, world = replace(bench.plan, notify=spec), replace(bench.service.ports, notifier=inbox)
    assert notify_end(plan, world, report) == ()
    yield from inbox.notices


def test_a_notice_says_what_happened_and_what_to_do(bench: Bench, inbox: Inbox) -> None:
    report = bench.run("v1.2.0")
    (notice,) = tell(bench, inbox, report)
    assert (notice.title, notice.level) == ("ledger: rolled back", NoticeLevel.WARNING)
    assert notice.body.startswith("1.0.0 → 1.2.0 on ")
    assert f"orchestrator show {report.run.id}" in notice.body
    assert "The app was away for" in notice.body


def test_no_line_of_a_log_leaves_the_host(bench: Bench, inbox: Inbox) -> None:
    report = bench.run("v1.2.0")
    loud = replace(report, run=replace(report.run, reason="It failed:\nuser kim@example.com\x1b[31m wrote …"))
    (notice,) = tell(bench, inbox, loud)
    assert "It failed:" in notice.body
    assert "kim" not in notice.body


@pytest.mark.parametrize(
    ("verdict", "told", "level"),
    [
        (Verdict.COMMITTED, 1, NoticeLevel.SUCCESS),
        (Verdict.UP_TO_DATE, 0, None),
        (Verdict.NEEDS_OPERATOR, 1, NoticeLevel.FAILURE),
        (Verdict.INTERNAL_ERROR, 1, NoticeLevel.FAILURE),
        (None, 0, None),
    ],
)
def test_what_is_told_unless_the_plan_says_otherwise(
    bench: Bench, inbox: Inbox, verdict: Verdict | None, told: int, level: NoticeLevel | None
) -> None:
    report = bench.run("v1.1.0")
    notices = list(tell(bench, inbox, replace(report, run=replace(report.run, verdict=verdict))))
    assert len(notices) == told
    assert [notice.level for notice in notices] == [level] * told


def test_a_plan_may_want_only_bad_news(bench: Bench, inbox: Inbox) -> None:
    assert list(tell(bench, inbox, bench.run("v1.1.0"), verdicts=("needs_operator",))) == []
