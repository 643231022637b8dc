"""The soak itself: one host, its writers and its prober, and a look at everything after each run."""

import json
import time
from contextlib import nullcontext
from pathlib import Path

import yaml

from deploy.demo.bed import Acknowledged, Bed, Prober, missing
from tests.docker.installation import Ended, build_ledger_plan, find_belongings, leave_out, orchestrator
from tests.soak.crowd import Crowd
from tests.soak.evidence import Data, find_differences, find_leftovers, read_data, read_entries_upto, read_ids
from tests.soak.rounds import FIRST, RELEASES, Kind, Step, choose_rounds
from tests.soak.table import Ran

_BETWEEN = 40
_PROBE_EVERY_S = 0.05
_PLAN, _OPEN_PLAN = "plan.yaml", "plan-open.yaml"


class Soak:
    """Runs on a bed in which every release is published; what it has seen stays in ``ran`` and ``broken``."""

    def __init__(self, bed: Bed, per_second: float) -> None:
        self._feed = bed.feed(*RELEASES)
        self._host = bed.host(FIRST)
        self._host.install()
        self._plans = {gate: self._write_plan(name, gate) for gate, name in (("closed", _PLAN), ("open", _OPEN_PLAN))}
        self._belongings = find_belongings(self._host.client, self._host.project)
        self._crowd = Crowd(self._host.url, per_second)
        self._prober = Prober(self._host.url, period_s=_PROBE_EVERY_S)
        self._settled: set[tuple[int, str]] = set()
        self._snapshots: set[str] = set()
        self._upgraded: object = None
        self._origin: Data | None = None
        self._began = 0.0
        self.rounds = 0
        self.ran: list[Ran] = []
        self.broken: list[str] = []

    @property
    def written_per_s(self) -> float:
        """Acknowledged writes a second, the time left out in which the app was not there."""
        now = time.monotonic()
        served = now - self._began - self._prober.unreachable_s(self._began, now)
        return len(self._crowd.acknowledged) / served if served > 0 else 0.0

    def run(self, seed: int, rounds: int, *, ends_at: float) -> None:
        """Round after round; none begins after ``ends_at`` (`time.monotonic()`)."""
        self._began = time.monotonic()
        with self._prober, self._crowd:
            for steps in choose_rounds(seed, rounds):
                if time.monotonic() > ends_at:
                    break
                for step in steps:
                    self._take(step)
                self.rounds += 1

    def _take(self, step: Step) -> None:
        self._crowd.await_acknowledged(_BETWEEN)
        before = len(self._crowd.acknowledged)
        with self._crowd.resting() if step.quiet else nullcontext():
            look = read_data(self._host) if step.quiet else read_entries_upto(self._host)
            began = time.monotonic()
            ended = self._orchestrate(step)
            back = self._find_what_must_be_back(step, look)
            differences = find_differences(back, self._look_again(back, quiet=step.quiet)) if back else []
        self._crowd.await_acknowledged(_BETWEEN)
        document = ended.document
        ran = Ran(
            step,
            str(document["verdict"]),
            ended.exit_code,
            self._prober.unreachable_s(began, time.monotonic()),
            acknowledged=len(self._crowd.acknowledged) - before,
            differences=differences,
        )
        self._account(ran, document)
        self.ran.append(ran)
        self._tell(ran, ended)

    def _orchestrate(self, step: Step) -> Ended:
        plan = self._plans["open" if step.kind is Kind.UNHEALTHY_OPEN else "closed"]
        if step.kind is Kind.ROLLBACK:
            return orchestrator("rollback", str(plan), "--force", "--json")
        return orchestrator("run", str(plan), "--force", "--retry", "--version", f"v{step.release}", "--json")

    def _find_what_must_be_back(self, step: Step, look: Data) -> Data | None:
        """The data as it was when the app was stopped: just now, or for a rollback before the good upgrade."""
        if step.kind is Kind.UPGRADE:
            self._origin = look
            return None
        return self._origin if step.kind is Kind.ROLLBACK else look

    def _look_again(self, back: Data, *, quiet: bool) -> Data:
        return read_data(self._host) if quiet else read_entries_upto(self._host, back.last_id)

    def _account(self, ran: Ran, document: dict[str, object]) -> None:
        acknowledged = [one for one in self._crowd.acknowledged if (one.id, one.hash) not in self._settled]
        not_live = missing(acknowledged, read_ids(self._host))
        lost = self._read_quarantine(not_live, document)
        ran.missing, ran.aside = len(lost), len(not_live) - len(lost)
        # Once told, not told again with every run that follows.
        self._settled |= {(one.id, one.hash) for one in not_live}
        self._note_snapshots(ran.step, document)
        ran.differences += find_leftovers(self._host, self._snapshots)
        if find_belongings(self._host.client, self._host.project) != self._belongings:
            ran.differences.append("containers, volumes or networks are not those of the beginning")
        ran.differences += self._find_odd_files()

    def _read_quarantine(self, entries: list[Acknowledged], document: dict[str, object]) -> list[Acknowledged]:
        """What of ``entries`` is not in the databases that the run has set aside; they are dropped then."""
        names = document["quarantine"]
        assert isinstance(names, list)
        for name in names:
            entries = missing(entries, read_ids(self._host, name))
            plan = str(self._plans["closed"])
            dropped = orchestrator("quarantine", "drop", str(document["run"]), "--plan", plan, "--force")
            if dropped.exit_code != 0:
                self.broken.append(f"quarantine drop: {dropped.said}")
        return entries

    def _note_snapshots(self, step: Step, document: dict[str, object]) -> None:
        # A good upgrade lets go of all snapshots but its own; going back uses that one up.
        snapshot = document["snapshot"]
        if step.kind is Kind.UPGRADE:
            self._snapshots, self._upgraded = set(), snapshot
        if step.kind is Kind.ROLLBACK:
            self._snapshots.discard(str(self._upgraded))
        if snapshot:
            self._snapshots.add(str(snapshot))

    def _find_odd_files(self) -> list[str]:
        listed = orchestrator("backups", "list", str(self._plans["closed"]), "--json").document["backups"]
        assert isinstance(listed, list)
        known = {Path(one["path"]).name for one in listed}
        there = {path.name for path in (self._host.folder / "backups").iterdir()}
        return [f"backup folder: {name} is on one side only" for name in sorted(known ^ there)]

    def _tell(self, ran: Ran, ended: Ended) -> None:
        print(
            f"{time.monotonic() - self._began:7.1f} s  {ran.step.kind.value} to {ran.step.release}"
            f"{' (quiet)' if ran.step.quiet else ''}: {ran.verdict}, {ran.unreachable_s:.2f} s down,"
            f" {ran.acknowledged} acknowledged, {ran.aside} aside, {ran.missing} missing",
            flush=True,
        )
        for problem in ran.problems:
            print(f"           differs: {problem}", flush=True)
        if ran.problems:
            print(f"           it said: {json.dumps(ended.document.get('states'))}", flush=True)

    def _write_plan(self, name: str, gate: str) -> Path:
        document = build_ledger_plan(self._host, self._feed, "upgrade.yaml")
        states = leave_out(document, "rehearse")
        states["start"]["with"] = {"gate": gate}
        states["health"]["timeout"] = "10s"
        document["backups"] = {"directory": "backups", "keep": 3}
        path = self._host.folder / name
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path
