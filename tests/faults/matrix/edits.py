"""Edits between a crash and the next command; each edit gives the plan that this command then reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from orchestrator.plan.load import parse_plan
from orchestrator.plan.schema import Plan
from orchestrator.wiring import find_unfinished_run
from states.registry import KINDS
from tests.faults.matrix.scene import Scene, Trouble
from tests.tools.build import make_release
from tests.tools.things import FakeImage, digest_of


def _edit_plan(scene: Scene) -> Plan:
    """Another time to be steady, and no state that closes a gate."""
    text = scene.bench.plan.text.replace("steady_for: 2s", "steady_for: 20s").replace('"closed"', '"open"')
    edited = parse_plan(text, scene.bench.plan.source, KINDS)
    assert edited.target.health.steady_for_s == 20.0
    return edited


def _edit_compose(scene: Scene) -> Plan:
    """Another restart policy."""
    scene.world.restart_policy = "always"
    return scene.bench.plan


def _edit_env(scene: Scene) -> Plan:
    """A version that nobody has confirmed."""
    scene.world.pin = scene.edited_pin = "v0.9.0"
    return scene.bench.plan


def _move_tags(scene: Scene) -> Plan:
    """Both versions are other images under the same tags, in the registry and on the host."""
    world = scene.world
    for version in ("v1.0.0", "v1.1.0"):
        confirmed = world.releases[version]
        world.releases[f"{version} as it was"] = replace(confirmed, announced=False)
        world.releases[version] = replace(
            make_release(version, confirmed.schema), digest=digest_of(f"another {version}")
        )
        moved = FakeImage(digest_of(f"moved {version}"), world.repository, world.releases[version].digest)
        name = f"{world.repository}:{version}"
        for image in world.images:
            image.names.discard(name)
        moved.names.add(name)
        world.images.append(moved)
    return scene.bench.plan


def read_confirmed(plan: Plan) -> Plan:
    """The plan that a command goes by which finds ``plan`` in its file."""
    plan.source.write_text(plan.text, encoding="utf-8")
    found = find_unfinished_run(plan.source)
    if found is None:
        return plan
    found.journal.close()
    return found.plan


EDITS: Mapping[str, Callable[[Scene], Plan]] = {
    "plan": _edit_plan,
    "compose file": _edit_compose,
    ".env": _edit_env,
    "tags": _move_tags,
}


def _undo_compose(scene: Scene) -> None:
    scene.world.restart_policy = scene.policy


def _undo_env(scene: Scene) -> None:
    scene.world.pin = "v1.0.0"


#: The same while a state is at work, and undone when it is over.
EDITED = (
    Trouble("plan edited", _edit_plan),
    Trouble("compose file edited", _edit_compose, _undo_compose),
    Trouble(".env edited", _edit_env, _undo_env),
)
