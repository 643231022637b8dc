"""One command at work, and the blows that are dealt to it; the journal says in which state they hit."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

import docker

from deploy.demo.bed import BedError, LedgerHost
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError
from orchestrator.journal.journal import Journal
from tests.engine.installation import ORCHESTRATOR, RUN_TIMEOUT_S
from tests.soak.harm import SIGNALS, Blow, Hit, Measure, find_moment

NOWHERE = "before the run"
BETWEEN = "between"
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
_NUMBERS = {Blow.KILL: signal.SIGKILL, Blow.TERMINATE: signal.SIGTERM, Blow.INTERRUPT: signal.SIGINT}
_POLL_S = 0.05
_RESTART_WITHIN_S = {Blow.APP: 2, Blow.DATABASE: 20, Blow.CRASH: 0}


@dataclass(frozen=True)
class Position:
    """How far the newest run is; ``verdict`` is empty while it has no end."""

    run: str = ""
    records: int = 0
    state: str = NOWHERE
    verdict: str = ""


@dataclass(frozen=True)
class Landed:
    """A blow that hit; ``command`` is what was at work, or `BETWEEN`."""

    blow: Blow
    command: str
    state: str


@dataclass(frozen=True)
class Over:
    """A command that is over. ``landed`` is None where it was over before the blow came."""

    exit_code: int
    said: str
    seconds: float
    landed: Landed | None


class Operator:
    """Runs the real command on one host, and is the one who disturbs it."""

    def __init__(self, host: LedgerHost) -> None:
        self._host = host
        self._journal = host.folder / ".orchestrator"

    def perform(self, arguments: Sequence[str], hit: Hit | None, measure: Measure) -> Over:
        """Run a command to its end, with a blow meanwhile; raises `TimeoutError` where it has none."""
        before, began = self.look(), time.monotonic()
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [str(ORCHESTRATOR), *arguments],
                cwd="/",
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            try:
                landed = self._strike(process, arguments[0], hit, measure, before) if hit else None
                exit_code = process.wait(RUN_TIMEOUT_S)
            except subprocess.TimeoutExpired as error:
                raise TimeoutError(f"{arguments[0]} did not end within {RUN_TIMEOUT_S} s") from error
            finally:
                process.kill()
                process.wait()
            said.seek(0)
            words = " ".join(said.read().decode(errors="replace").split())
        return Over(exit_code, words, time.monotonic() - began, landed)

    def restart(self, blow: Blow, command: str = BETWEEN) -> Landed | None:
        """Restart a container as somebody would who does not know of the upgrade; None where there is none."""
        state = self.look().state
        service = "app" if blow is Blow.APP else "db"
        # While the upgrade replaces it, it is not there, or not ready for that.
        with suppress(BedError, docker.errors.APIError):
            self._host.container(service).restart(timeout=_RESTART_WITHIN_S[blow])
            return Landed(blow, command, state)
        return None

    def look(self) -> Position:
        """How far the newest run is."""
        if not (self._journal / "journal.sqlite3").is_file():
            return Position()
        with closing(Journal.open(self._journal)) as journal:
            run = next(iter(journal.runs()), None)
            if run is None:
                return Position()
            records = journal.records(run.id)
        state = next((record.state for record in reversed(records) if record.state), "opening")
        return Position(run.id, len(records), state, run.verdict.value if run.verdict else "")

    def _strike(
        self, process: subprocess.Popen[bytes], command: str, hit: Hit, measure: Measure, before: Position
    ) -> Landed | None:
        moment = find_moment(hit, measure)
        if moment.records and not self._await_records(process, before, moment.records):
            return None
        with suppress(subprocess.TimeoutExpired):
            process.wait(moment.after_s)
            return None
        if hit.blow not in SIGNALS:
            return self.restart(hit.blow, command)
        now = self.look()
        process.send_signal(_NUMBERS[hit.blow])
        began = now.run != before.run or command in ("recover", "resume")
        return Landed(hit.blow, command, now.state if began else NOWHERE)

    def _await_records(self, process: subprocess.Popen[bytes], before: Position, count: int) -> bool:
        """Whether so many records more came while it was at work; those of a new run count from its first one."""

        def has_come() -> bool | None:
            now = self.look()
            there = now.records - (before.records if now.run == before.run else 0)
            if there >= count:
                return True
            return None if process.poll() is None else False

        try:
            return Deadline(SystemClock(), RUN_TIMEOUT_S, what="The operation").poll(has_come, every_s=_POLL_S)
        except DeadlineExceededError as error:
            raise TimeoutError(error.summary) from error
