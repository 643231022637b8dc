"""The real process is killed in each state, and `recover` brings the app to a named end under a writer."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.bed import Acknowledged, Prober, Writer, missing, read_entries
from orchestrator.adapters.system_clock import SystemClock
from orchestrator.deadline import Deadline
from orchestrator.journal import Journal
from tests.docker.installation import ORCHESTRATOR, Ended, Install, Installation, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
KILLED_IN = ("prefetch", "backup", "stop", "migrate", "start", "health", "commit")
ENDS = {
    "prefetch": "refused",
    "backup": "refused",
    "stop": "rolled_back",
    "migrate": None,  # complete or taken back: whichever the engine's verdict on its container says
    "start": "committed",
    "health": "committed",
    "commit": "committed",
}


@dataclass
class Death:
    """One run that was killed, and what was there after its recovery."""

    recovered: Ended
    again: Ended
    serving: str
    fenced: bool
    labelled: list[str]


@dataclass
class Story:
    """The deaths in order, and the witnesses of all of them."""

    installation: Installation
    deaths: dict[str, Death]
    acknowledged: tuple[Acknowledged, ...]
    versions: list[str]
    lost: list[Acknowledged]


@pytest.fixture(scope="module")
def story(install: Install) -> Iterator[Story]:
    installation = install(rehearsed=False)
    host, plan = installation.host, str(installation.plan)
    deaths: dict[str, Death] = {}
    quarantines: list[str] = []
    with Prober(host.url) as prober, Writer(host.url) as writer:
        for state in KILLED_IN:
            writer.await_acknowledged(10, 60)
            run_id = kill_in(installation, state)
            recovered = orchestrator("recover", plan, "--json")
            again = orchestrator("recover", plan)
            writer.await_acknowledged(10, 60)
            fenced = host.psql("SELECT NOT datallowconn FROM pg_database WHERE datname = 'ledger'", database="postgres")
            labelled = host.client.containers.list(all=True, filters={"label": f"upgrade-orchestrator.run={run_id}"})
            version = read_version(installation)
            deaths[state] = Death(recovered, again, version, fenced.strip() == "t", [str(one.name) for one in labelled])
            quarantines += quarantines_of(recovered)
            if version == "1.1.0":
                quarantines += quarantines_of(orchestrator("rollback", plan, "--force", "--json"))
    lost = missing(writer.acknowledged, read_entries(host.url))
    for name in quarantines:
        lost = missing(lost, host.read_aside(name))
    yield Story(installation, deaths, tuple(writer.acknowledged), prober.versions, lost)
    host.down()


def kill_in(installation: Installation, state: str) -> str:
    """SIGKILL the process alone, as the kernel would, as soon as the journal says that it is in ``state``."""
    folder = installation.host.folder / ".orchestrator"
    before = newest_run(folder)
    process = subprocess.Popen(
        [str(ORCHESTRATOR), "run", str(installation.plan), "--force", "--retry", "--version", "v1.1.0"],
        cwd="/",
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        within = Deadline(SystemClock(), 90, what=f"The run until {state}")
        run_id = within.poll(lambda: find_in_state(folder, before, state, process), every_s=0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return run_id


def newest_run(folder: Path) -> str | None:
    if not (folder / "journal.sqlite3").is_file():
        return None
    with closing(Journal.open(folder)) as journal:
        return next((run.id for run in journal.runs()), None)


def find_in_state(folder: Path, before: str | None, state: str, process: subprocess.Popen[bytes]) -> str | None:
    assert process.poll() is None, f"it was over before {state}"
    run_id = newest_run(folder)
    if run_id is None or run_id == before:
        return None
    with closing(Journal.open(folder)) as journal:
        there = any((r.record, r.state) == ("prepared", state) for r in journal.records(run_id))
    return run_id if there else None


def read_version(installation: Installation) -> str:
    status = installation.host.container("app").labels["org.opencontainers.image.version"]
    return status.removeprefix("v")


def quarantines_of(ended: Ended) -> list[str]:
    names = ended.document["quarantine"]
    assert isinstance(names, list), ended.said
    return [str(name) for name in names]


@pytest.mark.parametrize("state", KILLED_IN)
def test_killed_in_any_state_one_command_brings_it_to_a_named_end(story: Story, state: str) -> None:
    death = story.deaths[state]
    verdict = death.recovered.document["verdict"]
    assert verdict in ({ENDS[state]} if ENDS[state] else {"committed", "rolled_back"}), death.recovered.said
    assert death.serving == ("1.1.0" if verdict == "committed" else "1.0.0")
    assert f"cut off in {state}" in death.recovered.said
    assert not death.fenced
    assert death.labelled == []


@pytest.mark.parametrize("state", KILLED_IN)
def test_recovering_a_second_time_changes_nothing(story: Story, state: str) -> None:
    assert story.deaths[state].again.exit_code == 0
    assert "No run is unfinished" in story.deaths[state].again.said


def test_no_acknowledged_entry_is_lost(story: Story) -> None:
    assert len(story.acknowledged) > 10 * len(KILLED_IN)
    assert story.lost == []


def test_users_saw_each_version_only_when_a_run_had_committed_to_it(story: Story) -> None:
    expected = ["1.0.0"]
    for death in story.deaths.values():
        expected += ["1.1.0", "1.0.0"] if death.serving == "1.1.0" else []
    assert story.versions == expected
