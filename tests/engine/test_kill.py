"""The real process is killed before, in and after each state, and `recover` brings the app to a named end."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from deploy.demo.bed import Prober
from tests.engine.cutting import BACK, COMMITTED, FORWARD, Cut, Moment, Scene
from tests.engine.installation import Install
from tests.engine.trouble import written_site

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

SEED = random.SystemRandom().randrange(10**6)
STATES = (*FORWARD, *COMMITTED, *BACK)
CUTS = [Cut(moment, state) for state in STATES for moment in Moment]
SAMPLE = {
    "after-backup",
    "during-stop",
    "torn-migrate",
    "after-migrate",
    "during-start",
    "before-commit",
    "during-restore",
    "before-rollback",
}


@pytest.fixture(scope="module")
def scene(install: Install) -> Iterator[Scene]:
    print(f"delays are those of seed {SEED}")
    installation = install(rehearsed=False)
    with Prober(installation.host.url) as prober, written_site(installation) as site:
        scene = Scene(site, prober, random.Random(SEED))
        scene.write_plan()
        yield scene


@pytest.mark.parametrize(
    "cut", [pytest.param(one, marks=[] if str(one) in SAMPLE else [pytest.mark.soak], id=str(one)) for one in CUTS]
)
def test_killed_at_any_moment_one_command_brings_it_to_a_named_end(scene: Scene, cut: Cut) -> None:
    scene.make_ready()
    with scene.watched() as seen:
        place = scene.cut(cut)
        recovered = scene.recover()
        scene.assert_ended(place, recovered, seen())
    before = scene.look()
    again = scene.recover()
    assert (again.exit_code, again.document["run"]) == (0, None)
    assert scene.look() == before
