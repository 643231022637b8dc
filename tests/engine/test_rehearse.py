"""The rehearsal of the ledger's upgrades on a real engine: what it finds, what it touches, and what it leaves."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
import yaml

from deploy.demo.bed import Acknowledged, Bed, LedgerHost, Prober, Writer, missing, read_entries
from orchestrator.core.facts import Rehearsal
from orchestrator.core.store_facts import BackupManifest
from orchestrator.journal.journal import Journal
from tests.engine.conftest import RELEASES
from tests.engine.installation import ORCHESTRATOR, Ended, Installation, find_belongings, write_ledger_plan

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

RUN_LABEL = "upgrade-orchestrator.run"
SOCKET = "/var/run/docker.sock"
BAD = {
    "1.2.0": "The migration ended with exit code",
    "1.3.0": "Service app is",
    "1.4.0": "says that it is 1.1.0 instead of 1.4.0",
}


@dataclass
class Sightings:
    """What was seen of stages while they were there: container → its inspection, and who was in the app's network."""

    containers: dict[str, Mapping[str, object]] = field(default_factory=dict)
    networks: dict[str, Mapping[str, object]] = field(default_factory=dict)
    strangers: set[str] = field(default_factory=set)


@dataclass
class Story:
    """One good upgrade, then three bad ones that the rehearsal finds."""

    installation: Installation
    ended: dict[str, Ended] = field(default_factory=dict)
    containers: dict[str, tuple[set[str], set[str]]] = field(default_factory=dict)
    left: dict[str, list[str]] = field(default_factory=dict)
    unreachable_s: dict[str, float] = field(default_factory=dict)
    acknowledged: tuple[Acknowledged, ...] = ()
    sightings: Sightings = field(default_factory=Sightings)
    folder: tuple[dict[str, str], dict[str, str]] = field(default_factory=lambda: ({}, {}))


@pytest.fixture(scope="module")
def installation(ledger_bed: Bed) -> Iterator[Installation]:
    """A ledger that has a folder of the host and the engine's socket in its container."""
    host = ledger_bed.host("1.0.0")
    feed = ledger_bed.feed(*RELEASES)
    data = host.folder / "data"
    data.mkdir()
    (data / "kept.txt").write_text("as it was\n")
    data.chmod(0o777)
    file = host.folder / "docker-compose.yml"
    project = yaml.safe_load(file.read_text())
    project["services"]["app"]["volumes"] = ["./data:/data", f"{SOCKET}:{SOCKET}"]
    file.write_text(yaml.safe_dump(project))
    host.install()
    yield Installation(host, feed, write_ledger_plan(host, feed))
    host.down()


@pytest.fixture(scope="module")
def story(installation: Installation) -> Story:
    story, host = Story(installation), installation.host
    before = _read_folder(host)
    with watching(host) as story.sightings, Prober(host.url) as prober, Writer(host.url) as writer:
        for release in ("1.1.0", *BAD):
            writer.await_acknowledged(20, 60)
            running, began = _app_containers(host), time.monotonic()
            story.ended[release] = installation.run("--force", "--version", f"v{release}", "--json")
            writer.await_acknowledged(20, 60)
            story.unreachable_s[release] = prober.unreachable_s(began, time.monotonic())
            story.containers[release] = (running, _app_containers(host))
            story.left[release] = find_labelled(host.client, str(story.ended[release].document["run"]))
    story.acknowledged = tuple(writer.acknowledged)
    story.folder = (before, _read_folder(host))
    return story


def test_a_good_release_is_rehearsed_and_committed(story: Story) -> None:
    ended = story.ended["1.1.0"]
    assert (ended.exit_code, ended.document["verdict"]) == (0, "committed"), ended.said
    rehearsed = _state(ended, "rehearse")
    assert rehearsed["outcome"] == "done"
    assert "Restored and compared in" in str(rehearsed["reason"])
    assert "healthy after" in str(rehearsed["reason"])


def test_its_receipt_says_what_it_took(story: Story) -> None:
    with closing(Journal.open(story.installation.host.folder / ".orchestrator")) as journal:
        facts = journal.facts(str(story.ended["1.1.0"].document["run"]))
    rehearsal, receipt = facts.find(Rehearsal), facts.find(BackupManifest)
    assert rehearsal is not None
    assert receipt is not None
    assert rehearsal.backup_sha256 == receipt.sha256
    measured = (rehearsal.dump_s, rehearsal.restore_s, rehearsal.copy_s, rehearsal.migrate_s, rehearsal.start_s)
    assert all(seconds > 0 for seconds in measured), rehearsal
    assert rehearsal.alone  # started once, and let out of the gate as it runs
    assert rehearsal.outage_s == pytest.approx(sum(measured[2:]), abs=0.01)
    assert 0 <= rehearsal.longest_lock_s <= rehearsal.migrate_s + rehearsal.start_s
    assert rehearsal.disk_peak_bytes > rehearsal.database_bytes > 0
    assert not rehearsal.old_version_lives
    assert rehearsal.old_version_problem


@pytest.mark.parametrize("release", BAD)
def test_a_bad_release_is_refused_and_the_report_says_why(story: Story, release: str) -> None:
    ended = story.ended[release]
    assert (ended.exit_code, ended.document["verdict"]) == (10, "refused"), ended.said
    states = ended.document["states"]
    assert isinstance(states, list)
    assert [line["state"] for line in states][-1] == "rehearse"
    assert BAD[release] in " ".join(str(ended.document["reason"]).split())


@pytest.mark.parametrize("release", BAD)
def test_users_notice_nothing_of_a_bad_release(story: Story, release: str) -> None:
    before, after = story.containers[release]
    assert before == after
    assert story.unreachable_s[release] == 0


def test_no_write_is_lost(story: Story) -> None:
    assert len(story.acknowledged) > 100
    assert missing(story.acknowledged, read_entries(story.installation.host.url)) == []


def test_the_log_of_a_rehearsed_migration_is_in_the_folder_of_the_run(story: Story) -> None:
    logs = list(story.installation.host.folder.rglob("rehearse-migrate.log"))
    assert logs
    assert any('relation "authors" does not exist' in log.read_text() for log in logs)


def test_the_copy_is_in_a_network_of_its_own_that_leads_nowhere(story: Story) -> None:
    assert story.sightings.strangers == set()
    assert story.sightings.networks
    assert all(network["Internal"] is True for network in story.sightings.networks.values())
    options = [network["Options"] for network in story.sightings.networks.values()]
    assert options == [{"com.docker.network.bridge.inhibit_ipv4": "true"}] * len(options)
    for inspected in story.sightings.containers.values():
        settings = inspected["NetworkSettings"]
        assert isinstance(settings, dict)
        # What looks through the folders of the host for sockets has no network at all.
        assert set(settings["Networks"]) <= {"none", *story.sightings.networks}
        assert not any(settings["Ports"].values())


def test_the_copy_can_neither_write_to_the_host_nor_reach_the_engine(story: Story) -> None:
    app = [one for name, one in story.sightings.containers.items() if "-app-" in name]
    assert app
    for inspected in app:
        mounts = inspected["Mounts"]
        assert isinstance(mounts, list)
        assert [(mount["Destination"], mount["RW"]) for mount in mounts] == [("/data", False)]
    assert story.folder[0] == story.folder[1] == {"kept.txt": "as it was\n"}


@pytest.mark.parametrize("release", ["1.1.0", *BAD])
def test_nothing_of_a_rehearsal_is_left(story: Story, release: str) -> None:
    assert story.left[release] == []


def test_an_interrupted_rehearsal_leaves_nothing_and_the_app_as_it_was(story: Story) -> None:
    installation = story.installation
    host = installation.host
    before, own = _app_containers(host), find_belongings(host.client, host.project)
    argv = [str(ORCHESTRATOR), "run", str(installation.plan), "--force", "--version", "v1.3.0", "--json"]
    with subprocess.Popen(argv, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as running:
        _await(
            lambda: bool(host.client.containers.list(filters={"label": [RUN_LABEL, "com.docker.compose.service=app"]}))
        )
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=120)
    assert running.returncode == 128 + signal.SIGINT, said.decode()
    assert find_labelled(host.client, newest_run(installation)) == []
    assert _app_containers(host) == before
    assert find_belongings(host.client, host.project) == own


def newest_run(installation: Installation) -> str:
    """The id of the last run of this installation."""
    with closing(Journal.open(installation.host.folder / ".orchestrator")) as journal:
        return journal.runs()[0].id


def find_labelled(client: docker.DockerClient, run: str) -> list[str]:
    """Names of all containers, networks and volumes that carry the label of a run."""
    wanted: dict[str, str | list[str] | bool] = {"label": f"{RUN_LABEL}={run}"}
    found = [
        *client.containers.list(all=True, filters=wanted),
        *client.networks.list(filters=wanted),
        *client.volumes.list(filters=wanted),
    ]
    return [str(getattr(one, "name", one)) for one in found]


@contextmanager
def watching(host: LedgerHost) -> Iterator[Sightings]:
    """Look at the engine again and again from a thread of its own."""
    sightings, over = Sightings(), threading.Event()
    client = docker.from_env()

    def look() -> None:
        while not over.wait(0.1):
            with suppress(docker.errors.NotFound, docker.errors.APIError):
                _look(client, host.project, sightings)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield sightings
    finally:
        over.set()
        thread.join()
        client.close()


def _look(client: docker.DockerClient, project: str, sightings: Sightings) -> None:
    for network in client.networks.list(filters={"label": RUN_LABEL}):
        sightings.networks[str(network.name)] = network.attrs
    staged = client.containers.list(filters={"label": RUN_LABEL})
    ours = [one for one in staged if "rehearsal" in str(one.labels.get("com.docker.compose.project"))]
    for container in ours:
        sightings.containers[str(container.name)] = container.attrs
    for network in client.networks.list(filters={"label": f"com.docker.compose.project={project}"}):
        network.reload()
        sightings.strangers |= {str(one.name) for one in ours} & {str(one.name) for one in network.containers}


def _state(ended: Ended, name: str) -> Mapping[str, object]:
    states = ended.document["states"]
    assert isinstance(states, list)
    found = next(line for line in states if line["state"] == name)
    assert isinstance(found, dict)
    return found


def _app_containers(host: LedgerHost) -> set[str]:
    labels = [f"com.docker.compose.project={host.project}"]
    found = host.client.containers.list(filters={"label": labels})
    return {f"{one.id} {one.attrs['State']['StartedAt']}" for one in found}


def _read_folder(host: LedgerHost) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(Path(host.folder / "data").iterdir())}


def _await(condition: Callable[[], bool], seconds: float = 60) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.1)
