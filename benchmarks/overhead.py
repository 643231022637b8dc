"""Measure the cost that the orchestrator adds to engine and database: start-up, journal, waiting loops, Compose."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contenders import build_run
from benchmarks.figures import median
from benchmarks.ground import GOOD, OLD, Ground, Stand
from benchmarks.observed import COMPOSE, DATA, JOURNAL, OUTSIDE, OWN, START_UP, WAITING
from benchmarks.past import build_run_record
from benchmarks.process import run_measured
from benchmarks.progress import say
from benchmarks.report import Part, Table, show_ms, show_ratio, show_s
from benchmarks.watching import watch_outage
from orchestrator.journal.journal import Journal
from tests.engine.installation import CHECKOUT

SHARE, LEAST_S, JOURNAL_S = 0.03, 0.4, 0.005

_RUN_S = 3600
_JOURNALED = 200
_RECORDS = ("entered", "prepared", "left")
_PAYLOAD = {
    "kind": "command",
    "outcome": "done",
    "reason": "",
    "to": "next",
    "seconds": 0.1,
    "facts": {"fact": "x" * 400},
}
_ORDER = (START_UP, JOURNAL, WAITING, COMPOSE, OWN, DATA, OUTSIDE)


@dataclass(frozen=True)
class Round:
    """One observed upgrade. ``spent`` is where → what → seconds; ``critical`` are the Compose calls in the outage."""

    total_s: float
    spent: dict[str, dict[str, float]]
    compose: int
    critical: list[str]
    bare_compose_s: float
    in_vain_s: float

    def sum(self, what: str) -> float:
        """Seconds spent so, in all of the run."""
        return sum(spent.get(what, 0.0) for spent in self.spent.values())

    @property
    def added_s(self) -> float:
        """Seconds that engine calls alone would not need."""
        own = self.sum(START_UP) + self.sum(JOURNAL) + self.sum(OWN)
        return own + self.in_vain_s + self.compose * self.bare_compose_s


def measure_overhead(ground: Ground, sizes: Sequence[int], rounds: int) -> Part:
    """Observed upgrades at each size, and the journal by itself."""
    results: dict[int, list[Round]] = {}
    for size in sizes:
        with ground.stand(size) as stand:
            results[size] = []
            for number in range(1, rounds + 1):
                stand.reset(GOOD, image_there=True)
                results[size].append(_observe(stand))
                say(f"overhead: {size} MB, round {number}: {results[size][-1].added_s:.2f} s added")
    return build_part(results, [measure_journal() for _ in range(rounds)])


def measure_journal() -> float:
    """Seconds that the records of one state take, each of them durable."""
    folder = Path(tempfile.mkdtemp(prefix="bench-journal-", dir=CHECKOUT))
    try:
        with closing(Journal.open(folder)) as journal:
            journal.begin(build_run_record("run"), tool_version="bench")
            began = time.monotonic()
            for number in range(_JOURNALED):
                for record in _RECORDS:
                    journal.append("run", datetime.now(UTC), record, f"state_{number}", _PAYLOAD)
            return (time.monotonic() - began) / _JOURNALED
    finally:
        shutil.rmtree(folder)


def build_part(results: dict[int, list[Round]], journal: Sequence[float]) -> Part:
    """Build the tables, and every round as JSON."""
    rows, states, said = [], [], []
    for size, taken in results.items():
        total, added = median([one.total_s for one in taken]), median([one.added_s for one in taken])
        share = f"{added / total:.1%}" + ("" if added <= max(SHARE * total, LEAST_S) else " ✗")
        cells = (show_s(median([one.sum(what) for one in taken])) for what in _ORDER)
        vain = show_s(median([one.in_vain_s for one in taken]))
        rows.append((f"{size} MB", show_s(total), *cells, vain, show_s(added), share))
        states += [_tell_state(size, where, taken) for where in _find_places(taken)]
        said.append(
            f"{size} MB: {taken[0].compose} Compose invocations, {len(taken[0].critical)} of them while users were"
            f" without the app ({', '.join(taken[0].critical)}); one that does nothing takes"
            f" {show_ms(median([one.bare_compose_s for one in taken]))} ms."
        )
    cost = median(journal)
    return Part(
        "overhead",
        [
            "Seconds of a committed upgrade, medians, by what the orchestrator's main thread was seen doing. `waiting"
            " loops` wait for the app, mostly; what they wait in vain is half of each loop's last pause. `Compose` is"
            " all the time in `docker compose`, most of which the engine needs; `data work` is compressing, hashing and"
            " reading of backups. **added** is start-up + journal + own work + what was waited in vain + an empty"
            " Compose invocation for each that was made."
            f" Bound: {SHARE:.0%} of the run or {LEAST_S:g} s, whichever is more. ✗ marks what does not keep it.",
            Table(("database", "run", *_ORDER, "in vain", "added", "share"), tuple(rows)),
            *said,
            f"The journal takes {show_ratio(cost * 1000, at_most=JOURNAL_S * 1000)} ms a state (three durable records;"
            f" bound {JOURNAL_S * 1000:g} ms).",
            "By state:",
            Table(("state", *_ORDER), tuple(states)),
        ],
        {
            "journal_s_a_state": list(journal),
            "runs": [{"size_mb": size, "rounds": [asdict(one) for one in taken]} for size, taken in results.items()],
        },
    )


def _tell_state(size: int, where: str, taken: Sequence[Round]) -> tuple[str, ...]:
    found = [[one.spent.get(where, {}).get(what, 0.0) for one in taken] for what in _ORDER]
    return (f"{size} MB: {where}", *(show_s(median(seconds)) for seconds in found))


def _find_places(taken: Sequence[Round]) -> list[str]:
    return list(dict.fromkeys(where for one in taken for where in one.spent))


def _observe(stand: Stand) -> Round:
    plan = stand.save_plan(stand.build_plan())
    notes = stand.host.folder / "notes.json"
    argv = [sys.executable, "-m", "benchmarks.observed", str(notes), *build_run(plan, GOOD)]
    ends = []

    def act() -> None:
        ends.append(run_measured(argv, timeout_s=_RUN_S, environment={"PYTHONPATH": str(CHECKOUT)}))

    outage = watch_outage(stand.host.url, before=OLD, after=GOOD, act=act)
    document = json.loads(notes.read_text(encoding="utf-8"))
    calls = [each for each in document["processes"] if each["argv"][:2] == ["docker", "compose"]]
    spent: dict[str, dict[str, float]] = {}
    for each in document["spent"]:
        spent.setdefault(each["where"], {})[each["what"]] = each["seconds"]
    seen = sum(each["seconds"] for each in document["spent"])
    before = spent.setdefault("before and after", {})
    before[START_UP] = before.get(START_UP, 0.0) + max(0.0, ends[0].seconds - seen)  # nobody looks before and after
    return Round(
        total_s=ends[0].seconds,
        spent=spent,
        compose=len(calls),
        critical=[_name_call(each["argv"]) for each in calls if outage.began <= each["began"] <= outage.ended],
        bare_compose_s=_measure_bare_compose(stand),
        in_vain_s=document["in_vain_s"],
    )


def _measure_bare_compose(stand: Stand) -> float:
    argv = ["docker", "compose", "--project-directory", str(stand.host.folder), "config", "--quiet"]
    return median([run_measured(argv, timeout_s=_RUN_S).seconds for _ in range(3)])


def _name_call(argv: Sequence[str]) -> str:
    commands = ("config", "up", "start", "run", "create", "version", "stop", "ps", "pull")
    return next((word for word in argv if word in commands), "?")
