"""No port has a method without a point on both sides, and no product has a point that nobody put there."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest

from orchestrator.adapters.host.metrics_file import TextfileCollector
from orchestrator.adapters.notify.apprise import AppriseNotifier
from orchestrator.core import ports
from orchestrator.core.state_kind import Ports
from orchestrator.journal.journal import Journal
from orchestrator.releases.finder import PublishedReleaseFinder
from tests.faults.failpoints.doors import DOORS, JOURNAL_DERIVED, VALUES, Door
from tests.faults.failpoints.points import Point, Recording
from tests.faults.failpoints.wrapping import wrap, wrap_port
from tests.tools.build import make_ports, make_world

CHECKOUT = Path(__file__).resolve().parents[3]
PORTS = [door for door in DOORS.values() if door.name != "journal"]
CALLS = [(door, method) for door in PORTS for method in sorted(door.looks | door.effects)]


def find_protocols() -> set[type]:
    modules = [
        importlib.import_module(f"{ports.__name__}.{found.name}") for found in pkgutil.iter_modules(ports.__path__)
    ]
    return {protocol for module in modules for protocol in _protocols_of(module)}


def _protocols_of(module: ModuleType) -> set[type]:
    own = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__]
    return {each for each in own if getattr(each, "_is_protocol", False)}


def members_of(protocol: type) -> set[str]:
    protocols = [each for each in protocol.__mro__ if getattr(each, "_is_protocol", False)]
    return {name for each in protocols or [protocol] for name in vars(each) if not name.startswith("_")}


class Standing:
    """Has every method there is; remembers when it was really called."""

    def __init__(self, points: Recording) -> None:
        self.points = points

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *args, **kwargs: self.points.points.append(Point(name, "before", 0, "look", ("called",)))


def test_every_port_is_a_door_or_a_value() -> None:
    known = {door.protocol for door in DOORS.values()} | VALUES
    assert len(find_protocols()) > 10
    assert find_protocols() <= known


@pytest.mark.parametrize("door", PORTS, ids=lambda door: door.name)
def test_every_method_of_a_port_is_classified_once(door: Door) -> None:
    nested = {name for name in door.leads_to if not callable(getattr(door.protocol, name))}
    assert door.looks | door.effects | door.attributes | nested == members_of(door.protocol)
    assert not door.looks & door.effects


def test_every_method_of_the_journal_is_classified() -> None:
    door = DOORS["journal"]
    assert door.looks | door.effects | JOURNAL_DERIVED == members_of(Journal)


@pytest.mark.parametrize(("door", "method"), CALLS, ids=lambda value: value if isinstance(value, str) else value.name)
def test_every_call_has_a_point_on_both_sides(door: Door, method: str) -> None:
    points = Recording()
    port: object = wrap_port(door.name, Standing(points), points)
    getattr(port, method)("an argument")
    before, called, after = points.points
    assert (before.name, called.arguments, after.name) == (
        f"{door.name}.{method}.before",
        ("called",),
        f"{door.name}.{method}.after",
    )
    assert before.arguments == ("an argument",)
    assert before.touch == ("effect" if method in door.effects else "look")


def test_a_method_that_nobody_has_classified_cannot_be_called() -> None:
    platform = wrap_port("workloads", Standing(Recording()), Recording())
    with pytest.raises(AttributeError, match="neither a look nor an effect"):
        getattr(platform, "burn_down")  # noqa: B009 - the name is the point


def test_every_part_of_a_world_is_wrapped(tmp_path: Path) -> None:
    metrics = TextfileCollector(tmp_path / "page.prom")
    world = replace(make_ports(make_world(tmp_path)), notifier=AppriseNotifier("URLS", None, {}), metrics=metrics)
    wrapped = wrap(world, Recording())
    for name in {field.name for field in fields(Ports)} - {"mask", "recovery"}:  # which lead nowhere
        assert getattr(wrapped, name) is not getattr(world, name), name
    before, after = vars(world.finder), vars(wrapped.finder)
    asked = [name for name, value in before.items() if type(value).__module__.startswith("tests.tools")]
    assert len(asked) == 3
    assert not [name for name in asked if after[name] is before[name]]
    assert isinstance(wrapped.finder, PublishedReleaseFinder)


def test_no_product_knows_of_points() -> None:
    rules = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wheel = rules["targets"]["wheel"]
    assert wheel == {
        "packages": ["orchestrator", "states", "webapi"],
        "force-include": {"plans": "orchestrator/shipped_plans"},
        "shared-data": {"docs/orchestrator.1": "share/man/man1/orchestrator.1"},
    }
    shipped = [path for folder in ("orchestrator", "states", "plans") for path in (CHECKOUT / folder).rglob("*")]
    files = [path for path in shipped if path.is_file() and "__pycache__" not in path.parts]
    assert len(files) > 90
    assert not [path for path in files if "failpoint" in str(path.relative_to(CHECKOUT)).lower()]
    assert not [path for path in files if "failpoint" in path.read_text(encoding="utf-8").lower()]
    assert not [path for path in files if "import tests" in path.read_text(encoding="utf-8")]
    assert not [path for path in files if "from tests" in path.read_text(encoding="utf-8")]
