"""Secrets planted wherever an app, its host and its operator keep some are in nothing that an upgrade leaves or shows.

Both runs print them where they can: the operator's own step prints the `.env`, the migration its environment.
"""

import base64
import json
import os
import secrets
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import docker
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from deploy.demo.bed import Bed, LedgerHost
from tests.engine.installation import Document, Ended, build_ledger_plan, leave_out, orchestrator

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

KINDS = ("database", "opaque", "address", "login", "token", "notes", "file", "notify")
RELEASES = "/repos/you/ledger/releases"
HOOK = "/hook"
SAMPLED_EVERY_S = 0.005


@dataclass
class Watch:
    """What others on the host see while a run is at work: command lines, and containers."""

    host: LedgerHost
    known: dict[str, str]
    command_lines: set[str] = field(default_factory=set)
    containers: dict[str, Document] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> "Watch":
        self._threads = [threading.Thread(target=self._sample), threading.Thread(target=self._inspect)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _sample(self) -> None:
        while not self._over.wait(SAMPLED_EVERY_S):
            for process in os.listdir("/proc"):  # noqa: PTH208 - hundreds of times a second
                if process.isdecimal():
                    self.command_lines.add(read_bytes(Path("/proc", process, "cmdline")).decode(errors="replace"))

    def _inspect(self) -> None:
        while not self._over.wait(0.1):
            for one in self.host.client.api.containers(all=True):
                if one["Id"] not in self.containers and self.host.project in json.dumps(one):
                    self._note(one["Id"])

    def _note(self, container: str) -> None:
        with suppress(docker.errors.NotFound):
            self.containers[container] = self.host.client.api.inspect_container(container)


@dataclass
class Story:
    """A good and a bad upgrade of an app full of secrets."""

    host: LedgerHost
    plan: Path
    environment: dict[str, str]
    canaries: dict[str, str]
    own_environment: set[str]
    watch: Watch
    began: int
    ended: list[Ended] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def call(self, *arguments: str) -> Ended:
        """Run a command as its operator would, and remember what it said."""
        done = orchestrator(*arguments, environment=self.environment)
        self.told.append(done.stdout + done.stderr)
        return done

    def find_in(self, content: bytes) -> list[str]:
        """Which canaries are in it, as they are or as somebody would encode them."""
        return [kind for kind, canary in self.canaries.items() for form in write_forms(canary) if form in content]


@pytest.fixture(scope="module")
def story(ledger_bed: Bed, make_httpserver: HTTPServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    canaries = {kind: f"Canary-{kind}-{secrets.token_hex(8)}" for kind in KINDS}
    canaries["opaque"] += "+/%$&x"
    host = ledger_bed.host("1.0.0")
    plant(host, canaries)
    host.install()
    announce(make_httpserver, canaries)
    folder = tmp_path_factory.mktemp("operator")
    login = base64.b64encode(f"kim:{canaries['login']}".encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {ledger_bed.registry.address: {"auth": login}}}))
    address = make_httpserver.url_for(HOOK).removeprefix("http://")
    environment = {
        "DOCKER_CONFIG": str(folder),
        "RELEASE_TOKEN": canaries["token"],
        "UPGRADE_NOTIFY": f"json://kim:{canaries['notify']}@{address}",
    }
    document = build_plan(host, ledger_bed, make_httpserver.url_for("").rstrip("/"), folder)
    own = {entry for service in ("app", "db") for entry in host.container(service).attrs["Config"]["Env"]}
    watch = Watch(host, canaries)
    story = Story(host, host.folder / "plan.yaml", environment, canaries, own, watch, int(time.time()))
    with watch:
        story.plan.write_text(yaml.safe_dump(document, sort_keys=False))
        story.ended.append(story.call("run", str(story.plan), "--force", "--version", "v1.1.0", "--json"))
        leave_out(document, "rehearse")
        story.plan.write_text(yaml.safe_dump(document, sort_keys=False))
        story.ended.append(story.call("run", str(story.plan), "--force", "--version", "v1.2.0"))
    yield story
    host.down()


def plant(host: LedgerHost, canaries: dict[str, str]) -> None:
    """An app whose project holds secrets in every place that Compose has for them."""
    env = host.folder / ".env"
    text = env.read_text().replace(host.password, canaries["database"])
    env.write_text(f"{text}OPAQUE='{canaries['opaque']}'\n")
    (host.folder / "app_secret.txt").write_text(canaries["file"])
    document = yaml.safe_load((host.folder / "docker-compose.yml").read_text())
    document["secrets"] = {"app_secret": {"file": "./app_secret.txt"}}
    app = document["services"]["app"]
    app["secrets"] = ["app_secret"]
    app["environment"] |= {"OPAQUE": "${OPAQUE}", "CACHE_URL": f"redis://:{canaries['address']}@cache:6379/0"}
    (host.folder / "docker-compose.yml").write_text(yaml.safe_dump(document, sort_keys=False))


def announce(server: HTTPServer, canaries: dict[str, str]) -> None:
    """GitHub with releases whose notes say what they should not, and somebody who wants to be notified."""
    notes = f"The default is password={canaries['notes']}\nand postgresql://admin:{canaries['notes']}@db/ledger"
    entries = [{"tag_name": f"v{version}", "body": notes} for version in ("1.0.0", "1.1.0", "1.2.0")]
    login = {"Authorization": f"Bearer {canaries['token']}"}
    server.expect_request(RELEASES, headers=login).respond_with_json(entries)
    server.expect_request(HOOK, method="POST").respond_with_data("")


def build_plan(host: LedgerHost, bed: Bed, api: str, folder: Path) -> Document:
    """The standard plan with a step that prints the `.env`, and a migration that prints its environment."""
    document = build_ledger_plan(host, bed.feed("1.0.0"), "upgrade.yaml")
    document["releases"] = {
        "source": "github",
        "repository": "you/ledger",
        "url": api,
        "token_variable": "RELEASE_TOKEN",
    }
    document["notify"] = {"urls_variable": "UPGRADE_NOTIFY"}
    document["metrics"] = {"file": str(folder / "ledger.prom")}
    target, states = document["target"], document["states"]
    assert isinstance(target, dict)
    assert isinstance(states, dict)
    target["migrate"] = ["app", "sh", "-c", "cat /run/secrets/app_secret; echo; env; exec ledger migrate"]
    states["preflight"]["then"]["done"] = "tell"
    states["health"]["timeout"] = "2m"  # the good release is to be good on a busy machine too
    states["rehearse"]["with"]["healthy_within"] = "2m"
    step = {"run": ["cat", ".env", "app_secret.txt"], "on": "host", "changes": "nothing"}
    states["tell"] = {"kind": "command", "then": {"done": "confirm", "failed": "refused"}, "with": step}
    return document


def write_forms(canary: str) -> list[bytes]:
    """The canary as it is, and in the encodings in which it travels; of base64 what does not depend on its place."""
    encoded = [base64.b64encode(b"x" * offset + canary.encode())[4:-4] for offset in (0, 1, 2)]
    return [canary.encode(), quote(canary, safe="").encode(), *encoded]


def read_bytes(path: Path) -> bytes:
    """A file that may go away meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_both_runs_ended_as_they_should(story: Story) -> None:
    good, bad = story.ended
    assert (good.exit_code, good.document["verdict"]) == (0, "committed"), good.said
    assert bad.exit_code == 20, bad.said
    assert 'relation "authors" does not exist' in bad.said


def test_the_secrets_were_where_they_could_have_been_told(story: Story) -> None:
    folder = story.host.folder / ".orchestrator" / "runs"
    kept = b"".join(read_bytes(path) for path in folder.rglob("*.json")) + b"".join(
        map(read_bytes, folder.rglob("env"))
    )
    assert {"database", "opaque", "address"} <= set(story.find_in(kept.replace(b"$$", b"$")))
    logs = {path.name for path in folder.rglob("*.log")}
    assert {"tell.log", "migrate.log"} <= logs
    assert all(b"***" in path.read_bytes() for path in folder.rglob("tell.log"))


def test_no_command_shows_one(story: Story) -> None:
    for ended in story.ended:
        assert story.find_in((ended.stdout + ended.stderr).encode()) == []
    run_id = str(story.ended[0].document["run"])
    plan = str(story.plan)
    for arguments in (
        ["show", run_id, "--plan", plan], ["show", run_id, "--plan", plan, "--json"], ["history", plan, "--json"],
        ["history", plan], ["status", plan], ["status", plan, "--json"], ["check", plan], ["check", plan, "--json"],
        ["run", plan, "--dry-run"],
    ):  # fmt: skip
        done = story.call(*arguments)
        assert done.exit_code in (0, 10, 100), done.said
        assert story.find_in((done.stdout + done.stderr).encode()) == [], arguments


def test_neither_journal_nor_logs_hold_one_and_what_holds_them_is_private(story: Story) -> None:
    folder = story.host.folder / ".orchestrator"
    for path in folder.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
        if path.is_file() and path.name != "env" and not path.match("compose.*.json"):
            assert story.find_in(path.read_bytes()) == [], path
    assert folder.stat().st_mode & 0o077 == 0


def test_a_support_file_holds_none_and_is_of_use(story: Story, tmp_path: Path) -> None:
    runs = json.loads(story.call("history", str(story.plan), "--json").stdout)["runs"]
    for number, run in enumerate(runs):
        output = tmp_path / f"{number}.tar.gz"
        done = story.call("support", run["run"], "--plan", str(story.plan), "--output", str(output))
        assert done.exit_code == 0, done.said
        with tarfile.open(output) as archive:
            files = {one.name: archive.extractfile(one) for one in archive}
            content = {name.split("/", 1)[1]: file.read() for name, file in files.items() if file}
        assert {name: found for name, text in content.items() if (found := story.find_in(text))} == {}
        assert json.loads(content["report.json"])["verdict"] == run["verdict"]
        assert b'TZ = "Europe/Berlin"   # the shop\'s clock' in content.get("bundle/env", b"") or number
        assert b"CACHE_URL=redis://:***@cache:6379/0" in content["logs/tell.log"] + content["logs/migrate.log"]


def test_no_command_line_held_one(story: Story) -> None:
    lines = story.watch.command_lines
    assert any("compose" in line and "up" in line for line in lines), len(lines)
    assert [line for line in lines if story.find_in(line.encode())] == []


def test_no_container_got_one_that_the_app_does_not_have(story: Story) -> None:
    assert any("upgrade-orchestrator" in str(one["Name"]) for one in story.watch.containers.values())
    for one in story.watch.containers.values():
        config = one["Config"]
        assert isinstance(config, dict)
        given = [entry for entry in config["Env"] if story.find_in(entry.encode())]
        assert set(given) <= story.own_environment, one["Name"]
        rest = {**one, "Config": {**config, "Env": []}}
        assert story.find_in(json.dumps(rest).encode()) == [], one["Name"]


def test_no_event_of_the_engine_holds_one(story: Story) -> None:
    until = int(time.time())
    events = story.host.client.api.events(since=story.began, until=until, decode=True)
    content = json.dumps(list(events)).encode()
    assert b"exec_create" in content
    assert story.find_in(content) == []


def test_who_is_to_be_notified_was_and_the_monitoring_knows(story: Story, make_httpserver: HTTPServer) -> None:
    sent = [request.get_json() for request, _ in make_httpserver.log if request.path == HOOK]
    assert [one["title"] for one in sent] == ["ledger: committed", "ledger: rolled back"]
    assert story.find_in(json.dumps(sent).encode()) == []
    page = (Path(story.environment["DOCKER_CONFIG"]) / "ledger.prom").read_bytes()
    assert story.find_in(page) == []
    samples = [one for family in text_string_to_metric_families(page.decode()) for one in family.samples]
    assert [one.labels["verdict"] for one in samples if "verdict" in one.labels and one.value] == ["rolled_back"]
