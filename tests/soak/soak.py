"""The soak itself: one host, its writers and its prober, and a look at everything after each operation."""

import time
from contextlib import closing, nullcontext
from pathlib import Path

import yaml

from deploy.demo.bed import Acknowledged, Bed, Prober, missing
from orchestrator.journal.history import JournalHistory
from orchestrator.journal.journal import Journal
from orchestrator.run.past_runs import read_report
from tests.engine.installation import build_ledger_plan, find_belongings, leave_out, orchestrator
from tests.soak import evidence
from tests.soak.course import NOT_BEGUN, Course, Courses
from tests.soak.crowd import Crowd
from tests.soak.evidence import Data, find_differences, read_data, read_entries_upto
from tests.soak.harm import Harm, Measure, choose_harm
from tests.soak.kept import COMMITTED, Kept
from tests.soak.operation import Operator
from tests.soak.rounds import FIRST, GOES_BACK, GOOD, OPENS_GATE, RELEASES, Kind, Step, choose_rounds
from tests.soak.server import Server
from tests.soak.table import Ran
from tests.tools.build import RECOVERY

_BETWEEN = 40
_PROBE_EVERY_S = 0.1
_GOOD_HEALTH, _BAD_HEALTH = "90s", "8s"
_UNMEASURED = Measure(seconds=10.0, records=30)

Document = dict[str, object]


class Soak:
    """Runs on a bed in which every release is published; what it has seen stays in ``ran`` and ``broken``."""

    def __init__(self, bed: Bed, per_second: float) -> None:
        self._feed = bed.feed(*RELEASES)
        self.host = bed.host(FIRST)
        self.host.install()
        self._server = Server(self.host)
        self._plans = {kind: self._write_plan(kind) for kind in Kind}
        self._belongings = find_belongings(self.host.client, self.host.project)
        self._courses = Courses(Operator(self.host), str(self._plans[Kind.UPGRADE]))
        self._measures: dict[Kind, Measure] = {}
        self._crowd = Crowd(self.host.url, per_second)
        self._prober = Prober(self.host.url, period_s=_PROBE_EVERY_S)
        self._settled: set[tuple[int, str]] = set()
        self._kept = Kept()
        self._origin: tuple[Data, bool] | None = None
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

    def run(self, seed: int, rounds: int, *, kills: float, ends_at: float) -> None:
        """Round after round; none begins after ``ends_at`` (`time.monotonic()`), and the first problem ends it."""
        self._began = time.monotonic()
        with self._prober, self._crowd:
            number = 0
            for steps in choose_rounds(seed, rounds):
                if time.monotonic() > ends_at:
                    return
                for step in steps:
                    number += 1
                    if not self._set_right(step) or not self._take(step, choose_harm(seed, number, kills)):
                        return
                self.rounds += 1

    def _set_right(self, step: Step) -> bool:
        """What was hit may have left the other version: bring the one back that this step starts from."""
        serving = evidence.read_version(self.host)
        if step.kind is Kind.UPGRADE and serving == GOOD:
            assert self._origin is not None
            return self._take(Step(Kind.ROLLBACK, FIRST, self._origin[1]), None)
        if step.kind is Kind.ROLLBACK and serving == FIRST:
            return self._take(Step(Kind.UPGRADE, GOOD, step.quiet), None)
        return True

    def _take(self, step: Step, harm: Harm | None) -> bool:
        """One operation and the look at everything after it; whether all of it is as it must be."""
        self._crowd.await_acknowledged(_BETWEEN)
        before = len(self._crowd.acknowledged)
        with self._crowd.resting() if step.quiet else nullcontext():
            look = read_data(self._server) if step.quiet else read_entries_upto(self._server)
            serving, env, began = evidence.read_version(self.host), self._read_env(), time.monotonic()
            course = self._operate(step, harm)
            document = self._read_document(course)
            back = self._find_what_must_be_back(step, look, str(document["verdict"]))
            differences = find_differences(back, self._look_again(back, quiet=step.quiet)) if back else []
        differences += self._find_silence()
        ran = Ran(
            step,
            str(document["verdict"]),
            _find_exit_code(course, document),
            self._prober.unreachable_s(began, time.monotonic()),
            (serving, evidence.read_version(self.host)),
            acknowledged=len(self._crowd.acknowledged) - before,
            landed=course.landed,
            takings=course.takings,
            differences=[*course.problems, *differences],
        )
        if ran.verdict != COMMITTED and self._read_env() != env:
            ran.differences.append(".env is not what it was")
        self._account(ran, document)
        self.ran.append(ran)
        self._tell(ran, course)
        return not ran.problems and not self.broken

    def _find_silence(self) -> list[str]:
        try:
            self._crowd.await_acknowledged(_BETWEEN)
        except TimeoutError as error:
            return [f"users cannot write any more: {error}"]
        return []

    def _operate(self, step: Step, harm: Harm | None) -> Course:
        plan = str(self._plans[step.kind])
        arguments = ["run", plan, "--force", "--retry", "--version", f"v{step.release}", "--json"]
        if step.kind is Kind.ROLLBACK:
            arguments = ["rollback", plan, "--force", "--json"]
        measure = self._measures.get(step.kind, _UNMEASURED)
        course, self._measures[step.kind] = self._courses.take(arguments, harm, measure)
        return course

    def _read_document(self, course: Course) -> Document:
        if not course.run:
            return {"run": None, "verdict": NOT_BEGUN, "exit_code": 0, "snapshot": None, "quarantine": [], "states": []}
        with closing(Journal.open(self.host.folder / ".orchestrator")) as journal:
            return read_report(journal, course.run, RECOVERY).to_json()

    def _find_what_must_be_back(self, step: Step, look: Data, verdict: str) -> Data | None:
        """The data as it was when the app was stopped: just now, or for a rollback before the good upgrade."""
        if verdict != COMMITTED:
            return look
        if step.kind is Kind.ROLLBACK and self._origin is not None:
            return self._origin[0]
        self._origin = (look, step.quiet)
        return None

    def _look_again(self, back: Data, *, quiet: bool) -> Data:
        return read_data(self._server) if quiet else read_entries_upto(self._server, back.last_id)

    def _account(self, ran: Ran, document: Document) -> None:
        acknowledged = [one for one in self._crowd.acknowledged if (one.id, one.hash) not in self._settled]
        not_live = missing(acknowledged, self._server.read_ids())
        self._kept.note(ran.step, document)
        lost = self._read_quarantine(not_live, document)
        ran.missing, ran.aside = len(lost), len(not_live) - len(lost)
        if ran.aside and not ran.may_set_aside:
            ran.differences.append(f"{ran.aside} entries that users saved before the stop are only in the quarantine")
        # Once told, not told again with every run that follows.
        self._settled |= {(one.id, one.hash) for one in not_live}
        ran.differences += evidence.find_leftovers(self._server, self._kept.must, self._kept.may)
        ran.differences += evidence.find_other_policies(self.host)
        ran.differences += evidence.find_labelled(self.host, str(document["run"]))
        if find_belongings(self.host.client, self.host.project) != self._belongings:
            ran.differences.append("containers, volumes or networks are not those of the beginning")
        ran.differences += self._find_odd_files()

    def _read_quarantine(self, entries: list[Acknowledged], document: Document) -> list[Acknowledged]:
        """What of ``entries`` is not in the databases that the run has set aside; what nobody needs is dropped then."""
        names = document["quarantine"]
        assert isinstance(names, list)
        for name in names:
            entries = missing(entries, self._server.read_aside(name))
            if name not in self._kept.must:
                self._drop_quarantine(str(document["run"]))
        return entries

    def _drop_quarantine(self, run: str) -> None:
        dropped = orchestrator("quarantine", "drop", run, "--plan", str(self._plans[Kind.UPGRADE]), "--force")
        if dropped.exit_code != 0:
            self.broken.append(f"quarantine drop: {dropped.said}")

    def _find_odd_files(self) -> list[str]:
        with closing(Journal.open(self.host.folder / ".orchestrator")) as journal:
            known = {receipt.path.name for receipt in JournalHistory(journal).receipts()}
        there = {path.name for path in (self.host.folder / "backups").iterdir()}
        return [f"backup folder: {name} is on one side only" for name in sorted(known ^ there)]

    def _read_env(self) -> bytes:
        return (self.host.folder / ".env").read_bytes()

    def _tell(self, ran: Ran, course: Course) -> None:
        hits = "".join(f"{one.blow.value} at {one.command} in {one.state}, " for one in ran.landed)
        print(
            f"{time.monotonic() - self._began:7.1f} s  {ran.step.kind.value} to {ran.step.release}"
            f"{' (quiet)' if ran.step.quiet else ''}: {hits}{ran.verdict}, {ran.unreachable_s:.2f} s down,"
            f" {ran.acknowledged} acknowledged, {ran.aside} aside, {ran.missing} missing",
            flush=True,
        )
        for problem in ran.problems:
            print(f"           differs: {problem}", flush=True)
        for said in course.said if ran.problems else ():
            print(f"           {said}", flush=True)

    def _write_plan(self, kind: Kind) -> Path:
        document = build_ledger_plan(self.host, self._feed, "upgrade.yaml")
        states = leave_out(document, "rehearse")
        states["start"]["with"] = {"gate": "open" if kind in OPENS_GATE else "closed"}
        # A good version has all the time that it may need beside others; for a bad one it is only time lost.
        states["health"]["timeout"] = _BAD_HEALTH if kind in GOES_BACK else _GOOD_HEALTH
        document["backups"] = {"directory": "backups", "keep": 3}
        path = self.host.folder / f"plan-{kind.name.lower()}.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
        return path


# Undisturbed, the command itself must say it; after a recovery the journal does.
def _find_exit_code(course: Course, document: Document) -> int:
    return int(str(document["exit_code"])) if course.landed else course.exit_code
