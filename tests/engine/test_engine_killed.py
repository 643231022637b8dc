"""The daemon is killed while an upgrade is at work, alone or with the whole host: the app comes to a named end."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.demo.bed import Bed, LedgerHost, Prober
from tests.engine.conftest import RELEASES
from tests.engine.cutting import BACK, COMMITTED, FORWARD, Cut, Moment, Place, Scene
from tests.engine.installation import Ended, Installation, write_ledger_plan
from tests.engine.pasting import paste
from tests.engine.private_engine import PrivateEngine, kill_tree
from tests.engine.trouble import within, written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

SEED = random.SystemRandom().randrange(10**6)
EFFECTFUL = ("prefetch", "backup", "rehearse", "stop", "migrate", "start", "health", "commit", *BACK)
STATES = (*FORWARD[:5], "rehearse", *FORWARD[5:], *COMMITTED, *BACK)
POLICIES = ("no", "on-failure", "always", "unless-stopped")
BOOT_S = 120
SAMPLE = {"migrate"}
REBOOT_SAMPLE = {"restore"}


@dataclass
class Stand:
    """An engine that can be killed, and the installation on it."""

    engine: PrivateEngine
    scene: Scene

    def set_policy(self, policy: str) -> None:
        """Let containers come back as this says, the database's too."""
        compose = self.scene.host.folder / "docker-compose.yml"
        text = compose.read_text().replace(f'restart: "{self.scene.policy}"', f'restart: "{policy}"')
        compose.write_text(text.replace("restart: unless-stopped", f'restart: "{policy}"'))
        self.scene.policy = policy
        self.scene.host.up()

    def make_ready(self, cut: Cut, **timeouts: str) -> None:
        """The old version serves, and the plan rehearses only where that is what is cut off."""
        self.scene.make_ready()
        self.scene.write_plan(rehearsed=cut.state == "rehearse", **timeouts)

    def boot(self) -> Ended:
        """The host comes up again, and its unit calls `recover` until the run has an end."""
        self.engine.start()
        return within(BOOT_S).poll(self._recover, every_s=1)

    def _recover(self) -> Ended | None:
        ended = self.scene.recover()
        assert ended.stdout, ended.said
        document = json.loads(ended.stdout)
        return ended if "verdict" in document or document.get("run", "") is None else None


@pytest.fixture(scope="module")
def stand(ledger_bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    print(f"delays are those of seed {SEED}")
    with PrivateEngine() as engine, engine.reaching(ledger_bed.registry.port), engine.inside():
        engine.load(ledger_bed.bases.postgres)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", engine.address)
            installation = install(ledger_bed, engine, tmp_path_factory.mktemp("private") / "project")
            with Prober(installation.host.url) as prober, written_site(installation) as site:
                scene = Scene(site, prober, random.Random(SEED), {"DOCKER_HOST": engine.address})
                yield Stand(engine, scene)


def install(bed: Bed, engine: PrivateEngine, folder: Path) -> Installation:
    host = LedgerHost(
        client=engine.connect(),
        folder=folder,
        project=f"{bed.id}-private",
        repository=bed.repository,
        tag="v1.0.0",
        postgres_image=bed.bases.postgres,
        owner=bed.id,
    )
    host.create()
    host.install()
    feed = bed.feed(*RELEASES)
    return Installation(host, feed, write_ledger_plan(host, feed, rehearsed=False))


def mark(states: tuple[str, ...], sample: set[str]) -> list[object]:
    return [pytest.param(one, marks=[] if one in sample else [pytest.mark.soak]) for one in states]


def kill_engine(stand: Stand, cut: Cut) -> tuple[Place, Ended]:
    """SIGKILL the daemon in a state and start it again; the upgrade goes on meanwhile."""
    with stand.scene.reached(cut) as process:
        stand.scene.let_it_work()
        place = stand.scene.find_place()
        stand.engine.kill()
        stand.engine.start()
        said, errors = process.communicate()
    return place, Ended(process.returncode, said, errors)


def choose_ends(place: Place) -> set[str]:
    """It may go on as if nothing had been, or go back; never the other way round."""
    if place.state in (*COMMITTED, *BACK):
        return place.ends
    return {"committed", "rolled_back", "refused"} if place.ends == {"refused"} else {"committed", "rolled_back"}


@pytest.mark.parametrize("state", mark(EFFECTFUL, SAMPLE))
def test_an_upgrade_outlives_a_daemon_that_is_killed_and_comes_back(stand: Stand, state: str) -> None:
    cut = Cut(Moment.DURING, state)
    stand.set_policy("always")
    stand.make_ready(cut)
    with stand.scene.watched() as seen:
        place, ended = kill_engine(stand, cut)
        stand.scene.assert_ended(place, ended, seen(), choose_ends(place))


@pytest.mark.soak
@pytest.mark.parametrize("policy", POLICIES)
def test_whatever_comes_back_with_the_daemon_the_end_is_named_and_can_be_served_from(stand: Stand, policy: str) -> None:
    cut = Cut(Moment.DURING, "health")
    stand.set_policy(policy)
    stand.make_ready(cut, restore="40s")
    with stand.scene.watched() as seen:
        place, ended = kill_engine(stand, cut)
        # A database that does not come back with the engine is for its operator to start.
        if ended.document["verdict"] == "needs_operator":
            ended = paste(Path(stand.scene.plan), ended, stand.scene.environment)
        stand.scene.assert_ended(place, ended, seen(), {*choose_ends(place), "needs_operator"})


@pytest.mark.parametrize("state", mark(STATES, REBOOT_SAMPLE))
def test_after_a_reboot_in_any_state_the_boot_brings_it_to_a_named_end(stand: Stand, state: str) -> None:
    cut = Cut(Moment.DURING, state)
    stand.set_policy("unless-stopped")
    stand.make_ready(cut)
    with stand.scene.watched() as seen:
        with stand.scene.reached(cut) as process:
            stand.scene.let_it_work()
            kill_tree(process.pid)
            stand.engine.power_off()
        place = stand.scene.find_place()
        booted = stand.boot()
        # Behind the gate nothing comes back by itself: what was watched is not there any more.
        ends = {"committed", "rolled_back"} if place.state == "health" else place.ends
        stand.scene.assert_ended(place, booted, seen(), ends)
    before = stand.scene.look()
    assert stand.scene.recover().document["run"] is None
    assert stand.scene.look() == before
