"""Points around the ports of a world and around the journal; works alike on the fakes and on the real adapters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar, cast
from unittest.mock import patch

from orchestrator.adapters.postgres.store import PostgresStore
from orchestrator.core.errors import OrchestratorError
from orchestrator.core.model.images import Pin
from orchestrator.core.model.verdict import Verdict
from orchestrator.core.ports.data_store import DataStore
from orchestrator.core.ports.release_finder import ReleaseFinder
from orchestrator.core.state_kind import Ports
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.redaction.redactor import Redactor
from orchestrator.releases.finder import PublishedReleaseFinder
from tests.faults.failpoints.doors import DOORS, Touch
from tests.faults.failpoints.points import Failpoints, Instead

P = ParamSpec("P")
T = TypeVar("T")
PortT = TypeVar("PortT")


def wrap(world: Ports, points: Failpoints) -> Ports:
    """The same world with a point on both sides of every call of every port."""
    return replace(
        world,
        clock=wrap_port("clock", world.clock, points),
        workloads=wrap_port("workloads", world.workloads, points),
        images=wrap_port("images", world.images, points),
        stores=tuple(wrap_store("database", store, points) for store in world.stores),
        backups=wrap_port("backups", world.backups, points),
        probe=wrap_port("probe", world.probe, points),
        operator=wrap_port("operator", world.operator, points),
        finder=_wrap_finder(world.finder, points),
        trials=wrap_port("stages", world.trials, points) if world.trials else None,
        notifier=wrap_port("notifier", world.notifier, points) if world.notifier else None,
        metrics=wrap_port("metrics", world.metrics, points) if world.metrics else None,
    )


def wrap_port(door: str, port: PortT, points: Failpoints) -> PortT:
    """The port behind the door of this name, with points; it has the methods that its Protocol has, and no others."""
    return cast("PortT", _Wrapped(door, port, points))


def wrap_store(door: str, store: DataStore, points: Failpoints) -> DataStore:
    """The store with points: around its server where it is one of ours on a server, otherwise around itself."""
    if isinstance(store, PostgresStore):
        return replace(store, database=wrap_port(door, store.database, points))
    return wrap_port("store", store, points)


@contextmanager
def journal_watched(points: Failpoints) -> Iterator[None]:
    """Points around what every journal of this process writes and reads: ``journal.prepared.before`` and so on."""
    append, begin, end, go_on = Journal.append, Journal.begin, Journal.end, Journal.go_on
    free, opened, runs, records = Journal.free_reserve, Journal.open, Journal.runs, Journal.records

    def watched_append(
        self: Journal, run_id: str, at: datetime, record: str, state: str, payload: Mapping[str, object]
    ) -> None:
        call = partial(append, self, run_id, at, record, state, payload)
        _between(points, f"journal.{record}", "effect", (run_id, state), call)

    def watched_begin(self: Journal, run: Run, *, tool_version: str) -> None:
        _between(points, "journal.begin", "effect", (run.id,), partial(begin, self, run, tool_version=tool_version))

    def watched_end(
        self: Journal, run_id: str, at: datetime, verdict: Verdict, end_state: str, exit_code: int, reason: str
    ) -> None:
        call = partial(end, self, run_id, at, verdict, end_state, exit_code, reason)
        _between(points, "journal.end", "effect", (run_id, verdict), call)

    def watched_open(directory: Path, mask: Redactor | None = None) -> Journal:
        return _between(points, "journal.open", "effect", (), partial(opened, directory, mask))

    def watched_go_on(self: Journal, mask: Redactor) -> Journal:
        return _between(points, "journal.go_on", "effect", (), partial(go_on, self, mask))

    def watched_free(self: Journal) -> None:
        _between(points, "journal.free_reserve", "effect", (), partial(free, self))

    def watched_runs(self: Journal) -> tuple[Run, ...]:
        return _between(points, "journal.runs", "look", (), partial(runs, self))

    def watched_records(self: Journal, run_id: str) -> tuple[Record, ...]:
        return _between(points, "journal.records", "look", (run_id,), partial(records, self, run_id))

    watched: Mapping[str, object] = {
        "append": watched_append,
        "begin": watched_begin,
        "end": watched_end,
        "open": watched_open,
        "go_on": watched_go_on,
        "free_reserve": watched_free,
        "runs": watched_runs,
        "records": watched_records,
    }
    with ExitStack() as stack:
        for name, method in watched.items():
            stack.enter_context(patch.object(Journal, name, method))
        yield


class _Wrapped:
    """Stands before a port; every call goes through it."""

    def __init__(self, door: str, port: object, points: Failpoints) -> None:
        self._door = DOORS[door]
        self._port = port
        self._points = points

    def __getattr__(self, name: str) -> object:
        leads_to = self._door.leads_to.get(name)
        if name in self._door.attributes:
            return getattr(self._port, name)
        if leads_to is not None and not callable(getattr(self._door.protocol, name)):
            found = getattr(self._port, name)
            if isinstance(found, tuple):
                return tuple(wrap_store(leads_to, store, self._points) for store in found)
            return wrap_port(leads_to, found, self._points)
        touch = self._door.touch(name)
        method = getattr(self._port, name)

        def called(*args: object, **kwargs: object) -> object:
            call = partial(method, *args, **kwargs)
            told = _tell((*args, *kwargs.values()))
            answer: object = _between(self._points, f"{self._door.name}.{name}", touch, told, call)
            return wrap_port(leads_to, answer, self._points) if leads_to else answer

        self.__dict__[name] = called
        return called


def _wrap_finder(finder: ReleaseFinder, points: Failpoints) -> ReleaseFinder:
    assert isinstance(finder, PublishedReleaseFinder)
    return PublishedReleaseFinder(
        feed=wrap_port("feed", finder.feed, points),
        workloads=wrap_port("workloads", finder.workloads, points),
        images=wrap_port("images", finder.images, points),
        recovery=finder.recovery,
        services=finder.services,
        image=finder.image,
    )


def _between(points: Failpoints, name: str, touch: Touch, told: tuple[str, ...], call: Callable[[], T]) -> T:
    try:
        points.reach(name, "before", touch, told)
    except Instead as instead:
        return cast("T", instead.answer)
    try:
        answer = call()
    except OrchestratorError:
        # What failed may have had an effect all the same.
        points.reach(name, "after", touch, told, failed=True)
        raise
    points.reach(name, "after", touch, told)
    return answer


def _tell(values: Sequence[object]) -> tuple[str, ...]:
    told: list[str] = []
    for value in values:
        if isinstance(value, str | Path | Pin):
            told.append(str(value))
        elif isinstance(value, tuple | list):
            told.extend(str(one) for one in value if isinstance(one, str))
    return tuple(told)
