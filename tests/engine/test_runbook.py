"""Where an operator is needed, what they are told to paste brings a version back: copied from the screen into a shell.

Every shape of a runbook has its case here (`tests/tools/runbook_shapes.py`); those that are quick are no soak.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import docker.errors
import pytest

from deploy.demo.bed import Bed, LedgerHost
from orchestrator.core.facts import Facts
from orchestrator.reports.runbook import build_runbook
from tests.engine.installation import ORCHESTRATOR, Ended, Install, orchestrator
from tests.engine.pasting import NUMBERED, paste, paste_lines
from tests.engine.trouble import NEW, OLD, Setting, Site, until, verdict_of, written_site
from tests.tools.build import RECOVERY
from tests.tools.runbook_shapes import PROVEN, find_shape

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BAD = "1.2.0"  # its migration fails
PLAN = "trouble.yaml"
SET_ASIDE = r"%\_\_replaced\_%"  # databases that a way back on request has set aside
SHORT = ("swap, tag", "load, tag", "nothing written, tag", "committed")


@dataclass
class Plight:
    """What a case has done that only its operator can undo, before the lines are pasted."""

    site: Site
    pinned: str = "tag"
    undone: ExitStack = field(default_factory=ExitStack)

    def occupy(self) -> None:
        """Take the port of the app."""
        self.undone.enter_context(closing(socket.create_server(("127.0.0.1", self.site.host.app_port))))

    def damage_backups(self) -> None:
        """No backup reads back whole, until each is put back from a copy."""
        for path in self.site.installation.backups():
            whole = path.read_bytes()
            path.write_bytes(whole[:-40])
            self.undone.callback(path.write_bytes, whole)


@pytest.fixture(scope="module")
def site(install: Install) -> Iterator[Site]:
    with written_site(install(rehearsed=False)) as site:
        yield site


@pytest.fixture(autouse=True)
def old_version(site: Site) -> Iterator[None]:
    site.host.up("db")
    site.tidy()
    yield
    site.host.up("db")
    if site.serves(NEW):
        site.reset()
    elif not site.serves(OLD):
        site.host.pin(f"v{OLD}")
        site.host.up()


def lose_snapshot(site: Site) -> None:
    (snapshot,) = [row[0] for row in site.ask("SELECT datname FROM pg_database WHERE datname LIKE %s", r"%snapshot%")]
    site.host.psql(f'DROP DATABASE "{snapshot}"', database="postgres")


def lose_snapshot_and_backup(site: Site) -> None:
    lose_snapshot(site)
    newest = site.installation.backups()[-1]
    newest.write_bytes(newest.read_bytes()[:-40])


def lose_image(host: LedgerHost, image_id: str) -> None:
    host.container("app").remove(force=True)
    host.client.images.remove(image_id, force=True)


# --- one way into each situation


def leave_without_a_database(plight: Plight) -> Ended:
    """`stop` cannot ask the server, and nobody can start the app again."""
    site = plight.site
    with site.upgrading(Setting(pauses=["stop"], timeouts={"stop": "3s", "rollback": "8s"})) as running:
        with running.paused("stop"):
            site.kill_server()
            site.host.container("app").remove(force=True)
            plight.occupy()
        return running.end()


def leave_with_nothing_written(plight: Plight) -> Ended:
    site = plight.site
    with site.upgrading(Setting(pauses=["pull"], timeouts={"rollback": "8s"})) as running:
        with running.paused("pull"):
            site.host.client.images.remove(f"{site.host.repository}:v{NEW}", force=True)
            plight.occupy()
        return running.end()


def leave_before_the_swap(plight: Plight) -> Ended:
    site = plight.site
    with site.upgrading(Setting(version=BAD, pauses=["restore"], timeouts={"restore": "3s"})) as running:
        with running.paused("restore"):
            site.kill_server()
        return running.end()


def leave_with_an_older_backup(plight: Plight) -> Ended:
    site = plight.site
    assert site.upgrade(Setting(version=BAD)).exit_code == 20
    site.writer.await_acknowledged(5, 60)
    with site.upgrading(Setting(version=BAD, pauses=["restore"])) as running:
        with running.paused("restore"):
            lose_snapshot_and_backup(site)
        return running.end()


def leave_without_a_whole_backup(plight: Plight) -> Ended:
    site = plight.site
    with site.upgrading(Setting(version=BAD, pauses=["restore"])) as running:
        with running.paused("restore"):
            lose_snapshot(site)
            plight.damage_backups()
        return running.end()


def leave_in_a_way_back_on_request(plight: Plight) -> Ended:
    """The version of before and its data are asked for, and the server goes as soon as they have been swapped in."""
    site = plight.site
    plan = site.write_plan(Setting(timeouts={"restore": "3s", "start": "5s"}))
    assert orchestrator("run", str(plan), "--force", "--retry", "--version", f"v{NEW}", "--json").exit_code == 0
    if plight.pinned == "tag":
        site.host.pin(f"v{NEW}")
        site.host.up()
    argv = [str(ORCHESTRATOR), "rollback", str(plan), "--force", "--json"]
    asked = "SELECT count(*) FROM pg_database WHERE datname LIKE %s"
    with site.connect("postgres") as connection:
        already = connection.execute(asked, (SET_ASIDE,)).fetchone()
        with subprocess.Popen(argv, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
            # It goes on when the server is gone: a version that is up already would be committed meanwhile.
            until(lambda: connection.execute(asked, (SET_ASIDE,)).fetchone() != already)
            process.send_signal(signal.SIGSTOP)
            try:
                site.kill_server()
            finally:
                process.send_signal(signal.SIGCONT)
            said = keep_server_away(site, process)
    return Ended(process.returncode, said, "")


def leave_behind_the_gate(plight: Plight) -> Ended:
    with plight.site.upgrading(Setting(pauses=["commit"], timeouts={"commit": "10s"})) as running:
        with running.paused("commit"):
            plight.occupy()
        return running.end()


def keep_server_away(site: Site, process: subprocess.Popen[str]) -> str:
    """What the process has said when it ended; a server that Compose starts again for the app is killed again."""
    ends = time.monotonic() + 180
    while True:
        try:
            return process.communicate(timeout=0.1)[0]
        except subprocess.TimeoutExpired:
            assert time.monotonic() < ends
            with suppress(docker.errors.APIError):  # it is not up
                site.kill_server()


WAYS: Mapping[str, Callable[[Plight], Ended]] = MappingProxyType(
    {
        "no database": leave_without_a_database,
        "nothing written": leave_with_nothing_written,
        "swap": leave_before_the_swap,
        "swap back": leave_in_a_way_back_on_request,
        "load": leave_with_an_older_backup,
        "no whole backup": leave_without_a_whole_backup,
        "committed": leave_behind_the_gate,
    }
)
CASES = tuple(case for case in PROVEN.values() if case.partition(", ")[0] in WAYS)
ELSEWHERE = ("untouched", "nothing known")


def test_every_shape_of_a_runbook_has_its_case() -> None:
    assert {*CASES, *ELSEWHERE} == {*PROVEN.values()}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in SHORT else pytest.mark.soak) for case in CASES]
)
def test_the_lines_that_are_printed_bring_a_version_back(site: Site, ledger_bed: Bed, case: str) -> None:
    way, _, pinned = case.partition(", ")
    host = site.host
    before = pin_by_digest(site, ledger_bed) if pinned == "digest" else (host.folder / ".env").read_bytes()
    image_id = str(host.container("app").attrs["Image"])
    plight = Plight(site, pinned)
    try:
        ended = WAYS[way](plight)
    finally:
        plight.undone.close()
    assert PROVEN[find_shape(lines_of(ended))] == case
    serves = NEW if way in ("committed", "swap back") else OLD
    site.assert_whole(paste(host.folder / PLAN, ended), serves)
    if serves == OLD:
        assert (host.folder / ".env").read_bytes() == before
        assert host.container("app").attrs["Image"] == image_id
    host.pin(f"v{OLD}")


def pin_by_digest(site: Site, bed: Bed) -> bytes:
    """As an upgrade leaves it behind: tag and digest in `.env`, and a container that was made of them."""
    digest = str(site.host.client.images.get_registry_data(f"{site.host.repository}:v{OLD}").id)
    site.host.pin(f"v{OLD}@{digest}")
    site.host.up()
    return (site.host.folder / ".env").read_bytes()


def lines_of(ended: Ended) -> list[str]:
    lines = ended.document["next"]
    assert isinstance(lines, list)
    return [str(line) for line in lines]


# --- what is lost beside it


@pytest.mark.soak
@pytest.mark.parametrize("way", ["removed", "named otherwise"])
def test_a_rollback_comes_back_whatever_became_of_the_name_of_its_image(site: Site, way: str) -> None:
    image_id = str(site.host.container("app").attrs["Image"])
    with site.upgrading(Setting(version=BAD, pauses=["rollback"])) as running:
        with running.paused("rollback"):
            if way == "removed":
                site.host.client.images.remove(f"{site.host.repository}:v{OLD}", force=True)
            else:
                site.host.client.images.get(f"{site.host.repository}:v{BAD}").tag(site.host.repository, f"v{OLD}")
        ended = running.end()
    assert verdict_of(ended) == ("rolled_back", 20), ended.said
    site.assert_whole(ended, OLD)
    assert site.host.container("app").attrs["Image"] == image_id


@pytest.mark.soak
def test_a_rollback_whose_image_is_gone_fetches_it_again(site: Site) -> None:
    image_id = str(site.host.container("app").attrs["Image"])
    with site.upgrading(Setting(version=BAD, pauses=["rollback"])) as running:
        with running.paused("rollback"):
            lose_image(site.host, image_id)
        ended = running.end()
    site.assert_whole(paste(site.host.folder / PLAN, ended), OLD)
    assert site.host.container("app").attrs["Image"] == image_id


@pytest.mark.soak
def test_a_rollback_to_a_version_that_fell_ill_is_done_when_the_cause_is_gone(site: Site) -> None:
    setting = Setting(version=BAD, pauses=["rollback"], timeouts={"rollback": "20s"})
    with site.upgrading(setting) as running:
        with running.paused("rollback"):
            site.host.psql("ALTER ROLE ledger PASSWORD 'another'", database="postgres")
        ended = running.end()
    site.host.psql(f"ALTER ROLE ledger PASSWORD '{site.host.password}'", database="postgres")
    site.assert_whole(paste(site.host.folder / PLAN, ended), OLD)


@pytest.mark.soak
def test_lines_that_were_pasted_already_do_no_harm(site: Site) -> None:
    ended = leave_before_the_swap(Plight(site))
    paste(site.host.folder / PLAN, ended)
    site.assert_whole(paste(site.host.folder / PLAN, ended), OLD)


# --- a run that was cut off and is looked after by hand


@pytest.mark.soak
def test_a_migration_that_a_killed_run_has_left_at_work_is_ended_by_hand(site: Site) -> None:
    setting = Setting(migrate=["app", "sh", "-c", "ledger migrate && sleep 300"])
    with site.upgrading(setting) as running:
        ours: dict[str, Any] = {"label": f"com.docker.compose.project={site.host.project}", "name": "migrate"}
        running.until(lambda: site.host.client.containers.list(filters=ours))
        running.kill()
    refused = orchestrator("run", str(site.host.folder / PLAN), "--force")
    assert refused.exit_code == 30
    lines = NUMBERED.findall(refused.stdout + refused.stderr)
    assert PROVEN[find_shape(lines)] == "swap, tag"
    paste_lines(lines)
    until(partial(site.serves, OLD))
    assert site.host.client.containers.list(all=True, filters=ours) == []
    closed = close(site)
    site.assert_whole(Ended(30, json.dumps({**closed.document, "quarantine": []}), ""), OLD)


@pytest.mark.soak
def test_a_run_that_was_cut_off_before_the_stop_shows_what_runs(site: Site) -> None:
    with site.upgrading(Setting(pauses=["backup"])) as running:
        running.await_pause("backup")
        running.kill()
        running.resume("backup")
    closed = close(site)
    assert PROVEN[find_shape(lines_of(closed))] == "untouched"
    paste_lines([*lines_of(closed), *build_runbook("r-1", Facts(), (), RECOVERY)])
    assert site.serves(OLD)


def close(site: Site) -> Ended:
    plan = str(site.host.folder / PLAN)
    (run, *_) = json.loads(orchestrator("history", plan, "--json").stdout)["runs"]
    return orchestrator("close", str(run["run"]), "--plan", plan, "--json")
