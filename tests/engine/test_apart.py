"""The gate that needs no second start, on a real engine: what runs behind it is let out as it is."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.models.containers import Container

from deploy.demo.bed import Bed, LedgerHost
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from orchestrator.core.model.workloads import Gate
from tests.engine.installation import find_belongings
from tests.engine.test_gate import answers, platform_of, within

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

OLD, NEW = "v1.0.0", "v1.0.1"
# A connection of the app to its database that is never opened again, and how often it was of use.
POOL = """
import os, psycopg, time
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
    for number in range(10_000):
        connection.execute("SELECT 1")
        open("/tmp/used", "w").write(str(number))
        time.sleep(0.02)
"""


class Passage:
    """One host whose app comes up apart and is let out."""

    def __init__(self, host: LedgerHost, folder: Path) -> None:
        self.host = host
        self.client = host.client
        self.client.images.get(f"{host.repository}:{OLD}").tag(host.repository, NEW)
        self.platform: ComposeProject = platform_of(host, "app")
        self.project: FrozenProject = self.platform.freeze(folder)
        self.network = f"{host.project}_default"

    def start(self, pin: str = NEW, gate: Gate = Gate.CLOSED) -> None:
        self.platform.start_services(self.project, ["app"], pin, gate=gate, apart=True, deadline=within(120))

    def stop(self) -> None:
        self.platform.stop_services(["app"], deadline=within(60))

    def reach(self) -> tuple[bool, bool]:
        """Whether users do, and whether this host does at the app's own address."""
        url = f"{self.host.url}/api/health"
        private = self.platform.find_private_url(self.project, url, ["app"])
        within(60).poll(lambda: answers(private) or None, every_s=0.1)
        return answers(url), answers(private)

    def app(self) -> Container:
        return self.host.container("app")

    def guest(self) -> Container:
        """A container that came into the project's network while the gate was closed."""
        image = self.app().attrs["Config"]["Image"]
        return self.client.containers.run(
            image, ["600"], entrypoint=["sleep"], init=True, network=self.network, detach=True
        )

    def networks(self) -> set[str]:
        return find_belongings(self.client, self.host.project)["networks"]

    def used(self) -> int:
        exit_code, output = self.app().exec_run(["cat", "/tmp/used"])
        return int(str(output, "ascii") or 0) if exit_code == 0 and isinstance(output, bytes) else 0


@pytest.fixture(scope="module")
def host_passage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Passage]:
    with Bed("apart") as bed:
        bed.publish("1.0.0")
        host = bed.host("1.0.0")
        host.install()
        yield Passage(host, tmp_path_factory.mktemp("frozen"))


@pytest.fixture
def passage(host_passage: Passage) -> Passage:
    """With the app stopped, however the test before has left it."""
    host_passage.stop()
    return host_passage


def finds(guest: Container, name: str) -> bool:
    exit_code, _ = guest.exec_run(["getent", "hosts", name])
    return bool(exit_code == 0)


def test_what_runs_apart_is_let_out_without_another_start(passage: Passage) -> None:
    passage.start()
    assert passage.reach() == (False, True)
    apart = passage.app()
    (status,) = passage.platform.inspect_services(["app"])
    assert (status.running, status.restart_policy, apart.name) == (True, "no", f"{passage.host.project}-app-1")
    guest = passage.guest()
    assert not finds(guest, "app")
    assert not finds(guest, str(apart.name))
    apart.exec_run(["python", "-c", POOL], detach=True)
    within(30).poll(lambda: passage.used() or None, every_s=0.1)

    passage.start(gate=Gate.OPEN)
    assert answers(f"{passage.host.url}/api/health")
    before = passage.used()
    within(30).poll(lambda: passage.used() > before + 2 or None, every_s=0.1)
    assert finds(guest, "app")
    opened = passage.app()
    assert (opened.id, opened.attrs["State"]["StartedAt"]) == (apart.id, apart.attrs["State"]["StartedAt"])
    (status,) = passage.platform.inspect_services(["app"])
    assert (status.running, status.restart_policy) == (True, "unless-stopped")
    passage.host.pin(NEW)
    passage.host.compose("up", "--detach")
    assert passage.app().id == apart.id
    guest.remove(force=True)


def test_a_start_that_was_cut_off_is_completed(passage: Passage) -> None:
    passage.start()
    apart = passage.app()
    apart.kill()
    for network in apart.attrs["NetworkSettings"]["Networks"]:
        passage.client.networks.get(network).disconnect(apart)
    passage.start()
    assert passage.reach() == (False, True)
    passage.start(gate=Gate.OPEN)
    assert passage.reach() == (True, True)


def test_the_way_back_leaves_nothing_of_the_gate(passage: Passage) -> None:
    passage.start(OLD, Gate.OPEN)
    before = passage.networks()
    passage.stop()
    passage.start()
    assert passage.networks() > before
    passage.stop()
    passage.start(OLD, Gate.OPEN)
    assert passage.reach() == (True, True)
    assert passage.networks() == before
    assert passage.platform.inspect_services(["app"])[0].image_reference.endswith(OLD)


def test_what_was_stopped_apart_is_open_when_it_is_started_again(passage: Passage) -> None:
    passage.start()
    passage.stop()
    passage.start(gate=Gate.OPEN)
    assert passage.reach() == (True, True)


def test_a_port_that_somebody_has_taken_is_told_and_free_it_is_used(passage: Passage) -> None:
    passage.start()
    with socket.create_server(("127.0.0.1", passage.host.app_port)), pytest.raises(PlatformError) as caught:
        passage.start(gate=Gate.OPEN)
    assert caught.value.code == "compose.failed"
    passage.start(gate=Gate.OPEN)
    assert passage.reach() == (True, True)


def test_with_somebody_else_in_its_network_the_app_is_started_without_its_names(passage: Passage) -> None:
    guest = passage.guest()
    passage.start()
    assert passage.reach() == (False, True)
    assert str(passage.app().name).endswith("-gated")
    assert not finds(guest, "app")
    passage.start(gate=Gate.OPEN)
    assert passage.reach() == (True, True)
    guest.remove(force=True)
