"""A stage on a real engine, beside a project whose database lies in a folder of the host."""

import json
import os
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from deploy.demo.bed import LABEL, LedgerHost, ensure_base_images, find_free_port, run_command
from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.project import ComposeProject
from orchestrator.adapters.compose.trial import ComposeTrial, ComposeTrials
from orchestrator.adapters.compose.trial_containers import stage_name
from orchestrator.adapters.docker.container_exec import ContainerExec
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.adapters.postgres.server import Postgres
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError
from orchestrator.core.facts import FrozenProject
from tests.engine.reaching import Door, Planted, build_command, find_host_addresses, planted, read_reached, try_doors

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

COMPOSE = """\
name: {project}
services:
  db:
    image: {postgres}
    container_name: {project}-the-database
    labels: {{{label}: {project}}}
    environment: {{POSTGRES_USER: owner, POSTGRES_PASSWORD: {password}, POSTGRES_DB: live}}
    volumes: ["./files:/var/lib/postgresql/data"]
  app:
    image: {repository}:${{APP_VERSION}}
    labels: {{{label}: {project}}}
    command: [python, /data/app.py]
    environment: {{CACHE_URL: "redis://store:6379/0", MAIL: "smtp://mailer"}}
    cap_add: [NET_ADMIN, NET_RAW]
    secrets: [agent, word]
    networks: {{default: , front: {{aliases: [site]}}}}
    ports: ["127.0.0.1:{port}:8000"]
    depends_on: [db]
    volumes: ["./data:/data:ro", "uploads:/uploads", "/var/run:/host-run", "/var/run/docker.sock:/engine.sock:ro"]
  cache:
    image: {repository}:{tag}
    labels: {{{label}: {project}}}
    networks: {{default: {{aliases: [store]}}}}
    command: [python, -c, "{cache}"]
  mailer:
    image: {repository}:{tag}
    labels: {{{label}: {project}}}
    privileged: true
    command: [sleep, "600"]
    init: true
  other:
    image: {repository}:{tag}
    labels: {{{label}: {project}}}
    command: [sleep, "600"]
    init: true
secrets: {{agent: {{file: ./data/run/agent.sock}}, word: {{file: ./word}}}}
volumes: {{uploads: {{labels: {{{label}: {project}}}}}}}
networks: {{default: {{labels: {{{label}: {project}}}}}, front: {{labels: {{{label}: {project}}}}}}}
"""
# Says what it was asked, as an app that answers only to its own name would look at it.
APP = """\
import http.server, json, time

class App(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(20 if "slow" in self.path else 0)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**self.headers, "path": self.path}).encode())

http.server.ThreadingHTTPServer(("", 8000), App).serve_forever()
"""
CACHE = "import socket; s = socket.create_server(('', 6379)); [s.accept()[0].send(b'found') for _ in iter(int, 1)]"
SETUP = "CREATE ROLE reader LOGIN PASSWORD 'of the reader' CONNECTION LIMIT 7; CREATE TABLE entries (id int)"
ROLES = "SELECT rolname || ' ' || coalesce(rolpassword, '') || ' ' || rolconnlimit FROM pg_authid ORDER BY 1"


class Place:
    """The project, its ports, and a run's folder."""

    def __init__(self, folder: Path) -> None:
        bases = ensure_base_images()
        self.project = f"stage-{secrets.token_hex(4)}"
        self.run_id = f"r-{self.project}"
        self.folder = folder / self.project
        self.directory = folder / "run"
        self.client = docker.from_env(timeout=60)
        self.port = find_free_port()
        repository, _, self.tag = bases.python.rpartition(":")
        for name in ("files", "data/run"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "word").write_text("a word")
        os.mkfifo(self.folder / "data" / "pipe")
        self.directory.mkdir()
        (self.folder / "data" / "app.py").write_text(APP)
        words = {"project": self.project, "postgres": bases.postgres, "repository": repository, "port": self.port}
        words |= {"tag": self.tag, "cache": CACHE}
        text = COMPOSE.format(**words, label=LABEL, password=secrets.token_hex(8))
        (self.folder / "compose.yaml").write_text(text)
        (self.folder / ".env").write_text(f"APP_VERSION={self.tag}\n")
        engine, compose = DockerEngine.connect(), Compose(os.environ)
        self.platform = ComposeProject(self.folder, ("app",), "APP_VERSION", engine, compose)
        self.live = ContainerExec(lambda: self.client, self.platform.name, "db")
        self.stages = ComposeTrials(engine, compose, self.live, None, None)

    def install(self) -> None:
        """Bring it into service."""
        run_command(["docker", "compose", "up", "--detach"], timeout_s=120, cwd=self.folder)
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        within(60).poll(lambda: self.live.run(ready, deadline=within(10)).exit_code == 0 or None, every_s=0.2)
        psql(self.live, SETUP)

    def open(self) -> ComposeTrial:
        """The stage of the run."""
        self.frozen: FrozenProject = self.platform.freeze(self.directory)
        return self.stages.open(
            self.frozen, ("app",), run_id=self.run_id, directory=self.directory, writable=(), deadline=within(120)
        )

    def take_down(self) -> None:
        """Remove all of it."""
        self.stages.remove_all(self.run_id)
        LedgerHost(self.client, self.folder, self.project, "", "", "").down()
        self.client.close()


@pytest.fixture(scope="module")
def listeners() -> Iterator[Planted]:
    with planted() as found:
        yield found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, listeners: Planted) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("stage"))
    try:
        listeners.listen_at(place.folder / "data" / "run" / "agent.sock")
        place.install()
        yield place
    finally:
        place.take_down()


@pytest.fixture(scope="module")
def stage(place: Place) -> ComposeTrial:
    stage = place.open()
    stage.containers.start_services(place.frozen, ("app",), place.tag, deadline=within(60))
    return stage


def within(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds, what="The test")


def psql(executor: ContainerExec, statement: str, database: str = "live") -> str:
    argv = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-U", "owner", "-d", database, "-c", statement]
    outcome = executor.run(argv, deadline=within(60))
    assert outcome.exit_code == 0, outcome.errors
    return outcome.output.decode().strip()


def test_the_scratch_server_is_another_one_of_the_same_image(place: Place, stage: ComposeTrial) -> None:
    live = Postgres(place.live, None, None).inspect()
    scratch = stage.stores[0].inspect()
    assert scratch.system_identifier != live.system_identifier
    assert scratch.server_version == live.server_version
    assert psql(stage.executor, "SELECT count(*) FROM pg_tables WHERE tablename = 'entries'") == "0"
    assert psql(place.live, "SELECT count(*) FROM pg_tables WHERE tablename = 'entries'") == "1"


def test_it_has_the_roles_with_their_passwords(place: Place, stage: ComposeTrial) -> None:
    roles = psql(place.live, ROLES)
    assert "SCRAM-SHA-256$" in roles
    assert psql(stage.executor, ROLES) == roles


def test_no_password_hash_is_in_a_file_or_a_log(place: Place, stage: ComposeTrial) -> None:
    (container,) = place.client.containers.list(filters={"label": [in_stage(place), "com.docker.compose.service=db"]})
    assert "SCRAM" not in container.logs().decode()
    assert not any("SCRAM" in file.read_text() for file in place.directory.iterdir())
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in place.directory.iterdir())


def test_the_app_is_asked_by_its_own_name_where_users_do_not_reach_it(place: Place, stage: ComposeTrial) -> None:
    url = f"http://localhost:{place.port}/index.html"
    assert stage.reaches(url)
    within(30).poll(lambda: stage.get(url, timeout_s=5).status, every_s=0.2)
    answer = stage.get(url, timeout_s=5)
    assert (answer.status, json.loads(answer.body)["Host"]) == (200, f"localhost:{place.port}")
    proxied = stage.get("https://shop.example/up", timeout_s=5)
    said = json.loads(proxied.body)
    assert (said["Host"], said["X-Forwarded-Proto"], said["path"]) == ("shop.example", "https", "/up")
    assert not stage.reaches("http://localhost:1/")
    assert stage.get(url.replace("index", "slow"), timeout_s=1).error == "no full answer within 1 s"


def test_it_can_write_no_folder_of_the_host_and_reach_no_engine(place: Place, stage: ComposeTrial) -> None:
    (status,) = stage.containers.inspect_services(("app",))
    inspected = place.client.containers.get(status.container_id).attrs
    mounts = {mount["Destination"]: mount for mount in inspected["Mounts"]}
    assert set(mounts) == {"/data", "/data/pipe", "/data/run/agent.sock", "/uploads", "/run/secrets/word"}
    assert mounts["/data"]["RW"] is False
    assert mounts["/uploads"]["Name"].startswith(stage_name(place.run_id))
    assert not any(inspected["NetworkSettings"]["Ports"].values())
    routes = run_command(["docker", "exec", status.container_id, "cat", "/proc/net/route"], timeout_s=30)
    assert not any(line.split()[1] == "00000000" for line in routes.splitlines()[1:])


def test_from_inside_it_reaches_what_the_app_needs_and_nothing_else(
    place: Place, stage: ComposeTrial, listeners: Planted
) -> None:
    live = {
        service: place.client.containers.get(place.platform.inspect_services((service,))[0].container_id)
        for service in ("app", "db", "cache")
    }
    addresses = find_host_addresses()
    doors = [Door("tcp", address, listeners.port) for address in sorted(addresses)]
    doors += [Door("unix", path) for path in ("/engine.sock", "/data/run/agent.sock", "/run/secrets/agent")]
    doors += [Door("pipe", "/data/pipe"), Door("name", "host.docker.internal", 80), Door("name", "other", 80)]
    doors += [Door("name", "mailer", 80), Door("route", "169.254.169.254", 80), Door("route", "198.51.100.7", 443)]
    networks = live["cache"].attrs["NetworkSettings"]["Networks"]
    doors += [Door("tcp", network["IPAddress"], 6379) for network in networks.values()]
    (status,) = stage.containers.inspect_services(("app",))
    assert try_doors(status.container_id, doors) == set()
    assert try_as_job(place, stage, doors) == set()
    assert try_doors(status.container_id, [Door("tcp", "store", 6379), Door("name", "db", 5432)]) == {
        Door("tcp", "store", 6379),
        Door("name", "db", 5432),
    }
    # The same doors are open to the app that serves, or the walls would prove nothing.
    control = try_doors(str(live["app"].id), doors)
    own = {str(network["Gateway"]) for network in live["app"].attrs["NetworkSettings"]["Networks"].values()}
    assert {door.place for door in control} >= {"/engine.sock", "/data/run/agent.sock", "/run/secrets/agent", *own}
    assert Door("pipe", "/data/pipe") in control
    assert Door("route", "169.254.169.254", 80) in control
    assert any(door.port == 6379 for door in control)


def test_its_limits_are_told_by_name(place: Place, stage: ComposeTrial) -> None:
    told = "\n".join(stage.limits())
    assert "the volume uploads at /uploads of app is empty" in told
    assert "/var/run/docker.sock of this host is not there for app" in told
    assert "/data of app can only be read and has no sockets (" in told
    assert "app is without the rights NET_ADMIN, NET_RAW" in told
    assert "mailer is not there (app names it, but it has `privileged`)" in told
    assert stage.limits()[-1].startswith("nothing outside of the copy is reached")
    assert not any(name.endswith(("-other-1", "-mailer-1")) for name in place.stages.list_remnants(place.run_id))


def test_its_room_is_measured(stage: ComposeTrial) -> None:
    assert stage.disk_usage() > stage.stores[0].inspect().size_bytes


def test_a_transaction_that_keeps_others_from_writing_is_seen(stage: ComposeTrial) -> None:
    (database,) = stage.stores
    psql(stage.executor, "CREATE TABLE held (id int)")
    assert database.longest_lock_s("live") == 0
    statement = "BEGIN; CREATE TABLE own (id int); LOCK TABLE held IN SHARE MODE; SELECT pg_sleep(4)"
    holder = threading.Thread(target=lambda: psql(stage.executor, statement))
    holder.start()
    try:
        assert within(30).poll(lambda: database.longest_lock_s("live") or None, every_s=0.1) > 0
    finally:
        holder.join()
    assert database.longest_lock_s("live") == 0


def test_sweeping_leaves_nothing_of_the_stage_and_all_of_the_app(place: Place, stage: ComposeTrial) -> None:
    assert len(place.stages.list_remnants(place.run_id)) >= 4
    place.stages.remove_all(place.run_id)
    assert place.stages.list_remnants(place.run_id) == ()
    place.stages.remove_all(place.run_id)
    assert {one.state for one in place.platform.inspect_services(("app", "db"))} == {"running"}
    assert psql(place.live, "SELECT count(*) FROM entries") == "0"


def test_a_scratch_server_that_does_not_start_says_why(place: Place) -> None:
    file = place.folder / "compose.yaml"
    text = file.read_text()
    file.write_text(text.replace("    volumes: [", "    command: [postgres, -c, no_such_setting=1]\n    volumes: [", 1))
    try:
        with pytest.raises(PlatformError) as caught:
            place.open()
    finally:
        file.write_text(text)
        place.stages.remove_all(place.run_id)
    assert caught.value.code == "stage.database_failed"
    assert "no_such_setting" in caught.value.log_tail
    assert place.stages.list_remnants(place.run_id) == ()


def try_as_job(place: Place, stage: ComposeTrial, doors: list[Door]) -> set[Door]:
    name = f"{place.run_id}-job"
    command, run_id = ("app", *build_command(doors)), place.run_id
    jobs = stage.containers
    jobs.start_job(place.frozen, name, command, place.tag, run_id=run_id, deadline=within(60))
    within(60).poll(lambda: ((status := jobs.inspect_job(name)) and not status.running) or None, every_s=0.1)
    return read_reached(doors, jobs.save_job_log(name, place.directory / "job.log"))


def in_stage(place: Place) -> str:
    return f"com.docker.compose.project={stage_name(place.run_id)}"
