"""A real run is left by SIGTERM, its files are edited, and it still comes to its end as it was confirmed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.bed import Prober, Writer, missing, read_entries
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.journal.journal import Journal
from tests.engine.cutting import ENVIRONMENT
from tests.engine.installation import ORCHESTRATOR, Ended, Install, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

SECRET = "s3cret-colour"


@dataclass
class Story:
    """How the run was left and what became of it."""

    left: int
    recovered: Ended
    serving: str
    lost: int


@pytest.fixture(scope="module")
def story(install: Install) -> Iterator[Story]:
    installation = install(rehearsed=False)
    host, plan = installation.host, installation.plan
    with Prober(host.url), Writer(host.url) as writer:
        writer.await_acknowledged(10, 60)
        process = subprocess.Popen(
            [str(ORCHESTRATOR), "run", str(plan), "--force", "--version", "v1.1.0"],
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        folder = host.folder / ".orchestrator"
        within = Deadline(SystemClock(), 180, what="The run until stop")
        within.poll(lambda: is_in_state(folder, "stop", process) or None, every_s=0.01)
        process.send_signal(signal.SIGTERM)
        left = process.wait(timeout=60)
        compose = next(host.folder.glob("*compose.y*ml"))
        compose.write_text(compose.read_text().replace(host.project, "renamed") + f"# {SECRET}\n")
        plan.write_text("states: {")
        recovered = orchestrator("recover", str(plan), "--json")
        writer.await_acknowledged(10, 60)
        serving = host.container("app").labels["org.opencontainers.image.version"].removeprefix("v")
    lost = missing(writer.acknowledged, read_entries(host.url))
    yield Story(left, recovered, serving, len(lost))
    host.down()


def is_in_state(folder: Path, state: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, f"it was over before {state}"
    journal = Journal.open_existing(folder)
    if journal is None:
        return False
    with closing(journal):
        run = journal.find_unfinished()
        return run is not None and any((r.record, r.state) == ("prepared", state) for r in journal.records(run.id))


def test_it_is_left_and_then_taken_back(story: Story) -> None:
    assert story.left == 143
    assert (story.recovered.document["verdict"], story.serving) == ("rolled_back", "1.0.0"), story.recovered.said
    assert story.lost == 0


def test_each_edit_is_named_and_nothing_of_it_is_told(story: Story) -> None:
    notes = story.recovered.document["notes"]
    assert isinstance(notes, list)
    assert any("compose.y" in note and "was edited after the run began" in note for note in notes)
    assert any(note.startswith("The plan plan.yaml was edited") for note in notes)
    assert SECRET not in story.recovered.said
