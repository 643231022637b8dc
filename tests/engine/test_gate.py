"""The closed gate on a real engine: nobody reaches the new version before it is committed."""

import os
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.demo.bed import Acknowledged, LedgerHost, Prober, Writer, missing, read_entries
from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.http.probe import HttpProbe
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import Gate, ServiceStatus
from orchestrator.journal.journal import Journal
from tests.engine.installation import Ended, Install, Installation, find_belongings

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

SERVICES = ("app", "worker")
OWN_NAMES = ("app", "worker", "helper")
WORKER = """\
services:
  worker:
    image: {repository}:${{APP_VERSION}}
    restart: always
    hostname: hands
    container_name: {project}-hands
    command: [sleep, "600"]
    init: true
    healthcheck: {{disable: true}}
    links: ["db:database"]
    labels: {{traefik.enable: "true"}}
    networks: {{default: {{aliases: [helper]}}}}
"""


def within(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The test")


def platform_of(host: LedgerHost, *services: str) -> ComposeProject:
    return ComposeProject(host.folder, services, "APP_VERSION", DockerEngine.connect(), Compose(os.environ))


def answers(url: str | None) -> bool:
    return url is not None and HttpProbe().get(url, timeout_s=5).status == 200


@dataclass
class Look:
    """What is there of two services at one moment, and which names lead anywhere from where."""

    statuses: tuple[ServiceStatus, ...]
    public: bool
    private: bool
    from_outside: set[str]
    from_inside: set[str]
    labels: dict[str, str]
    addresses: set[str]


@dataclass
class Passage:
    """Two services of one release: served, behind the gate (twice), served again, and after their operator's `up`."""

    host: LedgerHost
    platform: ComposeProject
    project: FrozenProject
    looks: dict[str, Look] = field(default_factory=dict)

    def look(self, at: str) -> None:
        statuses = self.platform.inspect_services(SERVICES)
        worker = self.host.container("worker")
        names = {*OWN_NAMES, "hands", "database", *(str(self.host.container(s).name) for s in SERVICES)}
        names |= {f"{self.host.project}-app-1", f"{self.host.project}-hands"}
        private = self.platform.find_private_url(self.project, f"{self.host.url}/api/health", SERVICES)
        self.looks[at] = Look(
            statuses,
            answers(f"{self.host.url}/api/health"),
            answers(private),
            {name for name in names if self._resolves("db", name)},
            {name for name in names if self._resolves("worker", name)},
            {name: value for name, value in worker.labels.items() if not name.startswith("com.docker.compose")},
            {self._address(service) for service in SERVICES},
        )

    def await_healthy(self) -> None:
        healthy = ("healthy", "none")
        look = self.platform.inspect_services
        within(60).poll(lambda: all(s.health in healthy for s in look(["app"])) or None, every_s=0.1)

    def cut_off(self, service: str) -> None:
        """As a run leaves it that is killed while it connects the container anew."""
        container = self.host.container(service)
        container.kill()
        for network in container.attrs["NetworkSettings"]["Networks"]:
            self.host.client.networks.get(network).disconnect(container)

    def _address(self, service: str) -> str:
        (network,) = self.host.container(service).attrs["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def _resolves(self, service: str, name: str) -> bool:
        exit_code, _ = self.host.container(service).exec_run(["getent", "hosts", name])
        return bool(exit_code == 0)

    def start(self, gate: Gate) -> None:
        self.platform.start_services(self.project, SERVICES, "v1.0.0", gate=gate, deadline=within(120))


@pytest.fixture(scope="module")
def passage(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passage]:
    host = install(rehearsed=False).host
    override = WORKER.format(repository=host.repository, project=host.project)
    (host.folder / "docker-compose.override.yml").write_text(override)
    host.compose("up", "--detach")
    platform = platform_of(host, *SERVICES)
    passage = Passage(host, platform, platform.freeze(tmp_path_factory.mktemp("frozen")))
    passage.look("before")
    platform.stop_services(SERVICES, deadline=within(60))
    for at, gate in (("gated", Gate.CLOSED), ("again", Gate.CLOSED), ("open", Gate.OPEN)):
        passage.start(gate)
        passage.await_healthy()
        passage.look(at)
    host.compose("up", "--detach")
    passage.look("after")
    platform.stop_services(SERVICES, deadline=within(60))
    passage.start(Gate.CLOSED)
    passage.cut_off("worker")
    passage.start(Gate.CLOSED)
    passage.await_healthy()
    passage.look("mended")
    yield passage
    host.down()


@pytest.mark.parametrize("at", ["gated", "again", "mended"])
def test_behind_the_gate_only_this_host_and_the_services_themselves_find_the_app(passage: Passage, at: str) -> None:
    assert passage.looks["before"].public
    assert {*OWN_NAMES, "hands"} <= passage.looks["before"].from_outside
    look = passage.looks[at]
    assert (look.public, look.private) == (False, True)
    assert look.from_outside == {f"{passage.host.project}-{service}-gated" for service in SERVICES}
    assert {*OWN_NAMES, "database"} <= look.from_inside
    assert look.labels["traefik.enable"] == "false"
    assert [(s.running, s.restart_policy) for s in look.statuses] == [(True, "no")] * 2


def test_a_proxy_that_remembers_an_address_does_not_reach_what_is_gated(passage: Passage) -> None:
    assert passage.looks["gated"].addresses.isdisjoint(passage.looks["before"].addresses)
    belongings = find_belongings(passage.host.client, passage.host.project)["containers"]
    assert not any("holds" in name for name in belongings)


def test_a_gate_closed_twice_keeps_its_containers(passage: Passage) -> None:
    gated, again = passage.looks["gated"], passage.looks["again"]
    assert [s.container_id for s in again.statuses] == [s.container_id for s in gated.statuses]


def test_an_opened_gate_is_as_if_there_had_been_none(passage: Passage) -> None:
    before, opened = passage.looks["before"], passage.looks["open"]
    assert (opened.public, opened.from_outside, opened.labels) == (True, before.from_outside, before.labels)
    assert [s.restart_policy for s in opened.statuses] == ["unless-stopped", "always"]


def test_the_operators_own_up_after_the_gate_finds_nothing_to_do(passage: Passage) -> None:
    opened, after = passage.looks["open"], passage.looks["after"]
    assert [s.container_id for s in after.statuses] == [s.container_id for s in opened.statuses]


def test_a_service_on_the_network_of_its_host_is_refused(install: Install, tmp_path: Path) -> None:
    host = install(rehearsed=False).host
    override = f"services:\n  worker: {{image: '{host.repository}:${{APP_VERSION}}', network_mode: host}}\n"
    (host.folder / "docker-compose.override.yml").write_text(override)
    platform = platform_of(host, "worker")
    with pytest.raises(PlatformError) as caught:
        platform.check_gate(platform.freeze(tmp_path), ["worker"])
    assert caught.value.code == "gate.impossible"
    host.down()


@dataclass
class Story:
    """Two bad releases and a good one, with users outside."""

    installation: Installation
    ended: dict[str, Ended] = field(default_factory=dict)
    acknowledged: tuple[Acknowledged, ...] = ()
    live: dict[int, str] = field(default_factory=dict)
    first_seen: dict[str, datetime] = field(default_factory=dict)
    containers: tuple[str, str] = ("", "")


@pytest.fixture(scope="module")
def story(install: Install) -> Iterator[Story]:
    story = Story(install(rehearsed=False))
    host = story.installation.host
    offset_s = datetime.now(UTC).timestamp() - time.monotonic()
    with Prober(host.url) as prober, Writer(host.url) as writer:
        for release in ("1.3.0", "1.4.0", "1.1.0"):
            writer.await_acknowledged(20, 60)
            story.ended[release] = story.installation.run("--force", "--version", f"v{release}", "--json")
        writer.await_acknowledged(20, 60)
    for sample in prober.samples:
        if sample.version is not None:
            story.first_seen.setdefault(sample.version, datetime.fromtimestamp(sample.at + offset_s, UTC))
    story.acknowledged, story.live = tuple(writer.acknowledged), read_entries(host.url)
    before = host.container("app").id
    host.compose("up", "--detach")
    story.containers = (str(before), str(host.container("app").id))
    yield story
    host.down()


def test_each_release_ends_as_it_should(story: Story) -> None:
    verdicts = {release: ended.document["verdict"] for release, ended in story.ended.items()}
    assert verdicts == {"1.3.0": "rolled_back", "1.4.0": "rolled_back", "1.1.0": "committed"}, story.ended


def test_a_release_that_fails_behind_the_gate_was_given_no_write(story: Story) -> None:
    assert len(story.acknowledged) >= 80
    assert missing(story.acknowledged, story.live) == []


def test_nobody_sees_a_version_before_it_is_committed(story: Story) -> None:
    assert set(story.first_seen) == {"1.0.0", "1.1.0"}
    folder = story.installation.host.folder / ".orchestrator"
    with closing(Journal.open(folder)) as journal:
        records = journal.records(str(story.ended["1.1.0"].document["run"]))
    committed = next(r.at for r in records if (r.record, r.state) == ("prepared", "commit"))
    assert story.first_seen["1.1.0"] > committed


def test_the_operators_own_up_after_an_upgrade_finds_nothing_to_do(story: Story) -> None:
    before, after = story.containers
    assert before == after
