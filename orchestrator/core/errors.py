"""Everything that can go wrong and that an operator is told about.

One root, one sentence each for *what happened*, *what it means for the app* and *what to do*::

    OrchestratorError                     exit code
    ├── PlanError              plan.*         2   nothing was looked at or touched
    ├── UsageError             usage.*        2
    ├── BusyError              lock.*        75   another run is at work
    ├── UnfinishedRunError     run.*         30   an earlier run was cut off
    ├── JournalError           journal.*     70
    ├── TrustError             trust.*       70   somebody else can change what would be obeyed
    ├── InvariantError         internal.*    70   a bug: fail closed
    └── StateError                           the state reports ``failed``; the plan says what follows
        ├── PlatformError      engine.* compose.* service.* image.* pull.* env.* gate.* metrics.*
        ├── DatabaseError      database.*
        ├── ReleaseError       releases.*
        ├── BackupError        backup.*
        ├── MigrationError     migrate.*
        ├── HealthError        health.*
        ├── CommandError       command.*
        ├── RefusedError       refused.*
        ├── DeadlineExceededError             the state reports ``timeout``
        └── InterruptedByOperatorError        the state reports ``failed``, asked for by a signal

Adapters translate foreign errors into these ``from`` their cause. Codes are stable: scripts may rely on them.
"""

from datetime import datetime

from orchestrator.core.error_categories import Category, find_category

#: Impact of most failures before the first change.
UNTOUCHED = "Nothing was changed; the app runs as before."


class OrchestratorError(Exception):
    """Root of the tree. ``code`` is stable and dotted, ``exit_code`` is that of the process."""

    exit_code = 70

    def __init__(self, code: str, summary: str, *, impact: str = "", hint: str = "") -> None:
        super().__init__(summary)
        self.code = code
        self.summary = summary
        self.impact = impact
        self.hint = hint

    @property
    def category(self) -> Category:
        """The kind of the failure, by which callers decide."""
        return find_category(self.code)

    def sentences(self) -> tuple[str, ...]:
        """Return summary, impact and hint, without the empty ones."""
        return tuple(text for text in (self.summary, self.impact, self.hint) if text)

    def message(self) -> str:
        """Return the sentences as one text: on one line, or each on its own where one is longer than a line."""
        return ("\n" if "\n" in self.summary else " ").join(self.sentences())


class PlanError(OrchestratorError):
    """The plan cannot be used. ``problems`` holds one line a problem, each with file:line:column."""

    exit_code = 2

    def __init__(self, code: str, summary: str, *, problems: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(code, summary, impact="Nothing was looked at or touched.", hint=hint)
        self.problems = problems


class UsageError(OrchestratorError):
    """The command line asks for something that does not exist or does not fit together."""

    exit_code = 2


class BusyError(OrchestratorError):
    """Another run holds the lock of this project."""

    exit_code = 75


class UnfinishedRunError(OrchestratorError):
    """An earlier run of this project was cut off and has no end in the journal."""

    exit_code = 30


class CheckpointError(OrchestratorError):
    """SIGTERM: the host may be going down, so the run was left where it is, for `recover` to end."""

    exit_code = 143


class JournalError(OrchestratorError):
    """The journal cannot be read or written, or was written by a newer version."""


class TrustError(OrchestratorError):
    """A user whom the operator has not named can change the plan, the project or another file that is obeyed."""


class InvariantError(OrchestratorError):
    """An impossible condition: a bug. The run stops where it is."""


class StateError(OrchestratorError):
    """A state could not do its work; it reports ``failed`` and the plan's way back is taken.

    ``log_tail`` is the last log lines of the failed program.
    """

    exit_code = 10

    def __init__(self, code: str, summary: str, *, impact: str = "", hint: str = "", log_tail: str = "") -> None:
        super().__init__(code, summary, impact=impact, hint=hint)
        self.log_tail = log_tail

    def message(self) -> str:
        """Return the sentences on one line, the log lines below it; `orchestrator.reports.report` parses them again."""
        told = super().message()
        return f"{told}\n{self.log_tail}" if self.log_tail else told


class PlatformError(StateError):
    """The engine, the platform, an image, a service or the project's files are not as needed."""


class DatabaseError(StateError):
    """The database cannot be reached, copied, dumped, restored or swapped."""


class ReleaseError(StateError):
    """The release source cannot be read, or has no such release; ``retry_at`` (UTC) is the earliest next request."""

    def __init__(
        self, code: str, summary: str, *, impact: str = "", hint: str = "", retry_at: datetime | None = None
    ) -> None:
        super().__init__(code, summary, impact=impact, hint=hint)
        self.retry_at = retry_at


class BackupError(StateError):
    """A backup cannot be written, or differs from its manifest."""


class MigrationError(StateError):
    """The new version's migration did not succeed."""


class HealthError(StateError):
    """The app is not healthy, or is not the expected version."""


class CommandError(StateError):
    """The operator's own step did not succeed."""


class RefusedError(StateError):
    """A precondition of the upgrade is not met."""


class DeadlineExceededError(StateError):
    """The time that a state may take is over."""


class InterruptedByOperatorError(StateError):
    """A signal asked the current state to stop."""
