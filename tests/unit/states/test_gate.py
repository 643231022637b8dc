"""A closed gate: no user reaches the new version before it is committed, and then everybody does."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import Committed, Serving, Started
from orchestrator.core.model.stores import StoreLoad
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.model.workloads import Gate
from orchestrator.journal.journal import Journal
from orchestrator.run.runner import worst_case_downtime_s
from states.registry import KINDS
from tests.tools.bench import WITHOUT_REHEARSAL, Bench, serving_version
from tests.tools.world import FakeWorld

SHIPPED = Path(__file__).parents[3] / "plans"
NO_ENGINE = PlatformError("engine.unreachable", "The engine does not answer.")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, WITHOUT_REHEARSAL)


def write_whenever_the_health_is_asked(bench: Bench) -> list[int]:
    """How many writes the users got acknowledged each time the app was asked."""
    written: list[int] = []
    bench.world.happen("probe.get", lambda: written.append(bench.world.users_write(1)), times=999)
    return written


def records(bench: Bench) -> list[str]:
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        run = journal.runs()[0]
        return [f"{record.record} {record.state}" for record in journal.records(run.id)]


def gates(world: FakeWorld) -> list[str]:
    return [call.arguments[-1] for call in world.calls if call.method == "workloads.start_services"]


def test_users_get_nothing_acknowledged_between_stop_and_commit(bench: Bench) -> None:
    seen: list[tuple[str, int]] = []
    bench.world.happen("probe.get", lambda: seen.append((records(bench)[-1], bench.world.users_write(1))), times=999)
    assert bench.run().run.verdict is Verdict.COMMITTED
    behind = [count for record, count in seen if record.endswith(" health")]
    assert len(behind) > 5
    assert set(behind) == {0}
    assert any(count for record, count in seen if record == "prepared commit")
    assert gates(bench.world) == [Gate.CLOSED, Gate.OPEN]
    assert bench.world.missing() == []


@pytest.mark.parametrize("version", ["v1.3.0", "v1.4.0"])
def test_a_release_that_fails_behind_the_gate_takes_no_write_with_it(bench: Bench, version: str) -> None:
    written = write_whenever_the_health_is_asked(bench)
    assert bench.run(version).run.verdict is Verdict.ROLLED_BACK
    assert sum(written) == len(bench.world.acknowledged) > 0  # the old version took some, before and after
    assert bench.world.missing() == []
    assert serving_version(bench.world) == "v1.0.0"
    assert gates(bench.world) == [Gate.CLOSED, Gate.OPEN]


def test_the_commit_is_durable_before_the_gate_opens(bench: Bench) -> None:
    at_start: list[str] = []
    bench.world.happen("workloads.start_services", lambda: at_start.append(records(bench)[-1]), times=9)
    bench.run()
    assert at_start == ["prepared start", "prepared commit"]


def test_what_was_rehearsed_is_let_out_as_it_ran_behind_the_gate(tmp_path: Path) -> None:
    ran: list[tuple[list[str], list[str]]] = []
    for machine in (None, WITHOUT_REHEARSAL):
        folder = tmp_path / str(len(ran))
        folder.mkdir()
        bench = Bench(folder, machine) if machine else Bench(folder)
        seen = watch_containers(bench)
        assert bench.run().run.verdict is Verdict.COMMITTED
        ran.append((seen[:1], [bench.world.containers["app"].container_id]))
    (rehearsed, served), (gated, opened) = ran
    assert rehearsed == served
    assert gated != opened


def test_a_database_that_knows_only_some_networks_is_reached_through_them(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.world.database_load = StoreLoad(admits_any=False, free_connections=90)
    seen = watch_containers(bench)
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert seen[0] != bench.world.containers["app"].container_id


def watch_containers(bench: Bench) -> list[str]:
    """The container that was started behind the gate."""
    seen: list[str] = []
    bench.world.happen(
        "workloads.start_services", lambda: seen.append(bench.world.containers["app"].container_id), when="after"
    )
    return seen


def test_a_commit_whose_pin_was_changed_pins_what_was_proven_before_it_opens_the_gate(bench: Bench) -> None:
    def change_the_pin() -> None:
        bench.world.pin = "v0.9.0"

    bench.world.happen("workloads.start_services", change_the_pin, when="after")
    report = bench.run()
    assert report.run.exit_code == 0
    assert gates(bench.world) == [Gate.CLOSED, Gate.OPEN]
    assert bench.world.chain()[-2:] == ["workloads.write_pin", "workloads.start_services"]
    assert bench.world.pin.startswith("v1.1.0@sha256:")
    assert any(line.state == "commit" and "was changed" in line.reason for line in report.states)


def test_an_engine_that_fails_for_a_moment_does_not_keep_the_gate_closed(bench: Bench) -> None:
    bench.world.happen("workloads.start_services", lambda: fail_starts(bench, 5), when="after")
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert serving_version(bench.world) == "v1.1.0"
    assert gates(bench.world) == [Gate.CLOSED] + [Gate.OPEN] * 6


def fail_starts(bench: Bench, times: int) -> None:
    bench.world.fail("workloads.start_services", NO_ENGINE, times=times)


def test_a_gate_that_cannot_be_opened_needs_an_operator_who_is_led_forward(bench: Bench) -> None:
    bench.world.happen("workloads.start_services", lambda: fail_starts(bench, 9999), when="after")
    report = bench.run()
    assert (report.run.verdict, report.run.exit_code) == (Verdict.NEEDS_OPERATOR, 30)
    assert bench.path()[-1] == "commit"
    assert "The engine does not answer." in report.run.reason
    assert bench.world.databases["ledger"].schema == 2
    assert any("is committed and stays" in step for step in report.next_steps)
    assert any("up -d" in step for step in report.next_steps)
    assert not any("RENAME" in step or " stop " in step for step in report.next_steps)


def test_a_version_that_users_cannot_reach_after_all_needs_an_operator(bench: Bench) -> None:
    def fall_ill() -> None:
        bench.world.releases["v1.1.0"].healthy_after_s = None

    bench.world.happen("workloads.start_services", lambda: bench.world.happen("workloads.start_services", fall_ill))
    report = bench.run()
    assert report.run.exit_code == 30
    assert ("commit", "timeout") in bench.recorder.path
    assert "restore" not in bench.path()


def test_a_signal_does_not_cut_off_a_commit(bench: Bench) -> None:
    taken: list[bool] = []

    def interrupt() -> None:
        taken.append(bench.service.interruption.request(2))

    bench.world.happen(
        "workloads.start_services", lambda: bench.world.happen("workloads.start_services", interrupt), when="after"
    )
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert taken == [False]
    assert serving_version(bench.world) == "v1.1.0"


def test_a_signal_behind_the_gate_takes_the_way_back(bench: Bench) -> None:
    bench.world.happen("workloads.start_services", lambda: bench.service.interruption.request(2), when="after")
    assert bench.run().run.verdict is Verdict.ROLLED_BACK
    assert serving_version(bench.world) == "v1.0.0"


def test_the_outage_lasts_until_users_are_served(bench: Bench) -> None:
    report = bench.run()
    with closing(Journal.open(bench.plan.journal_directory)) as journal:
        facts = journal.facts(report.run.id)
    started, committed, serving = facts.find(Started), facts.find(Committed), facts.find(Serving)
    assert started is not None
    assert committed is not None
    assert serving is not None
    assert started.gate is Gate.CLOSED
    assert started.at < committed.at < serving.at
    assert report.outage_s is not None
    assert report.outage_s > (committed.at - started.at).total_seconds()


def test_behind_a_closed_gate_the_commit_counts_as_time_without_the_app(tmp_path: Path) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    upgrade = (SHIPPED / "upgrade.yaml").read_text()
    (tmp_path / "open").mkdir()
    opened = Bench(tmp_path / "open", upgrade[upgrade.index("\ninitial:") :].replace("{gate: closed}", "{gate: open}"))
    longer_s = worst_case_downtime_s(bench.plan, KINDS) - worst_case_downtime_s(opened.plan, KINDS)
    assert longer_s == bench.plan.states["commit"].timeout_s


def health_is_asked_elsewhere(world: FakeWorld) -> None:
    world.published_port = 8443


def app_cannot_be_hidden(world: FakeWorld) -> None:
    world.gate_problem = "It is on the host's network."


def app_answers_only_to_another_name(world: FakeWorld) -> None:
    world.knows_its_host, world.host_name = True, "shop.example"


@pytest.mark.parametrize(
    ("break_it", "told"),
    [
        (health_is_asked_elsewhere, "none of the services publishes the port of http://localhost:5100/health"),
        (app_cannot_be_hidden, "on the host's network"),
        (app_answers_only_to_another_name, "the version that runs answers with status 400"),
    ],
)
def test_a_gate_behind_which_nobody_could_judge_is_refused_early(
    tmp_path: Path, break_it: Callable[[FakeWorld], None], told: str
) -> None:
    bench = Bench(tmp_path, WITHOUT_REHEARSAL)
    break_it(bench.world)
    report = bench.run()
    assert report.run.verdict is Verdict.REFUSED
    assert bench.path() == ["check", "preflight"]
    assert told in report.run.reason
    assert bench.world.chain() == ["workloads.freeze"]


@pytest.mark.parametrize(
    ("machine", "url"), [("", ""), (WITHOUT_REHEARSAL, ""), ("", "https://shop.example"), ("", "http://shop.example")]
)
def test_an_app_that_answers_only_to_its_own_name_is_asked_by_it(tmp_path: Path, machine: str, url: str) -> None:
    bench = Bench(tmp_path, machine, url=url or "http://localhost:5100")
    bench.world.knows_its_host = True
    bench.world.host_name = "shop.example" if url else "localhost"
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert gates(bench.world)[0] is Gate.CLOSED


@pytest.mark.parametrize("break_it", [health_is_asked_elsewhere, app_cannot_be_hidden])
def test_a_plan_with_an_open_gate_needs_none_of_it(tmp_path: Path, break_it: Callable[[FakeWorld], None]) -> None:
    upgrade = (SHIPPED / "upgrade.yaml").read_text()
    machine = upgrade[upgrade.index("\ninitial:") :].replace("{gate: closed}", "{gate: open}")
    bench = Bench(tmp_path, machine)
    break_it(bench.world)
    assert bench.run().run.verdict is Verdict.COMMITTED
    assert gates(bench.world) == [Gate.OPEN]
