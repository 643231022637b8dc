"""What an operator pastes into a shell to bring a version back by hand, from what a run has proven."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.facts import (
    Committed,
    Current,
    Facts,
    Fence,
    FrozenProject,
    LostSnapshot,
    Quarantine,
    Receipt,
    Snapshot,
    Target,
    WayBack,
)
from orchestrator.journal import Record

# Kinds of states after which the database may be another one than the snapshot is of.
_WRITERS = frozenset({"migrate", "start", "reinstate"})
_VALUE = "[^[:space:]#]*"
_NAME_AT_MOST = 30


def build_runbook(run_id: str, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    """Commands in their order, each a line for a shell: back to the old version, after the commit on with the new one.

    Only the swap of two databases is done once; what is set aside keeps all that was written.
    """
    project, current, committed = facts.find(FrozenProject), facts.find(Current), facts.find(Committed)
    if project is None or current is None:
        return ("docker compose ps  # nothing was changed yet; this shows the app, in the folder of its project",)
    shell = _Shell(project, facts.find(Fence))
    if committed is not None:
        return _build_way_forward(shell, committed)
    return (
        shell.compose("stop", *project.services),
        *_build_data_steps(shell, run_id, facts, records),
        *shell.reopen(),
        *shell.pin(project.pin_text),
        *_build_image_steps(facts),
        shell.up(),
        shell.compose("ps"),
    )


# Users may have written into the new version: what leads back from here would lose that.
def _build_way_forward(shell: _Shell, committed: Committed) -> tuple[str, ...]:
    return (
        f"# version {committed.version} is committed and stays; nothing was taken back",
        *shell.reopen(),
        *shell.pin(committed.pin),
        shell.up(),
        shell.compose("ps"),
        shell.compose("logs", "--tail", "20", *shell.project.services),
    )


@dataclass(frozen=True)
class _Shell:
    """Command lines for one project and its database."""

    project: FrozenProject
    fence: Fence | None

    def compose(self, *arguments: str) -> str:
        return shlex.join(["docker", "compose", "--project-directory", str(self.project.directory), *arguments])

    def up(self) -> str:
        # Made anew: on the containers that were stopped the restart policy is off, and Compose does not see it.
        return self.compose("up", "-d", "--pull", "never", "--force-recreate", *self.project.services)

    def pin(self, text: str) -> tuple[str, ...]:
        """Set the version variable; every other byte of the file stays."""
        env = self.project.directory / ".env"
        if not self.project.variable:
            return (f"# set the version variable in {env} to {text}",)
        pattern = f"^([[:space:]]*(export[[:space:]]+)?{self.project.variable}[[:space:]]*=[[:space:]]*){_VALUE}"
        return (shlex.join(["sed", "-i", "-E", f"s|{pattern}|\\1{text}|", str(env)]),)

    def psql(self, *statements: str, database: str | None = None) -> str:
        """Statements as the superuser; the first that fails is the last."""
        fence = self.fence or Fence(database="")
        maintenance = "template1" if fence.database == "postgres" else "postgres"
        argv = ["exec", "-T", fence.service or "db", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        argv += ["-U", fence.user or "postgres", "-d", database or maintenance]
        line = self.compose(*argv, *(word for statement in statements for word in ("-c", statement)))
        # Lines that are pasted together are the input of each of them in turn.
        return f"{line} </dev/null" if statements else line

    def reopen(self) -> tuple[str, ...]:
        """Let the app in again."""
        if self.fence is None:
            return ()
        statement = f"ALTER DATABASE {_quoted(self.fence.database)} ALLOW_CONNECTIONS true"
        return (self._start_server(), self.psql(statement))

    def swap(self, live: str, source: str, aside: str) -> tuple[str, ...]:
        """``source`` takes the name of ``live``, which is kept as ``aside``, to be looked into; both or neither."""
        names = ", ".join(_text(name) for name in (live, source))
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names})"  # noqa: S608
        return (
            self._start_server(),
            self.psql(
                f"ALTER DATABASE {_quoted(live)} ALLOW_CONNECTIONS false",
                end,
                "BEGIN",
                f"ALTER DATABASE {_quoted(live)} RENAME TO {_quoted(aside)}",
                f"ALTER DATABASE {_quoted(source)} RENAME TO {_quoted(live)}",
                f"ALTER DATABASE {_quoted(aside)} ALLOW_CONNECTIONS true",
                "COMMIT",
            ),
        )

    def load(self, receipt: Receipt, name: str) -> tuple[str, ...]:
        """Restore a backup as database ``name``; a half-restored one of this run gives way."""
        like = receipt.properties
        create = f"CREATE DATABASE {_quoted(name)} TEMPLATE template0 OWNER {_quoted(like.owner)}"
        create += f" ENCODING {_text(like.encoding)} LC_COLLATE {_text(like.collate)} LC_CTYPE {_text(like.ctype)}"
        path = shlex.quote(str(receipt.path))
        loading = f"gunzip --stdout {path} | {self.psql(database=name)} --single-transaction >/dev/null"
        return (
            f"echo {receipt.sha256} {path} | sha256sum --check",
            self._start_server(),
            self.psql(f"DROP DATABASE IF EXISTS {_quoted(name)}", create),
            loading,
        )

    def _start_server(self) -> str:
        fence = self.fence or Fence(database="")
        return self.compose("up", "-d", "--no-recreate", "--wait", "--pull", "never", fence.service or "db")


def _build_data_steps(shell: _Shell, run_id: str, facts: Facts, records: Sequence[Record]) -> tuple[str, ...]:
    """The data as it was when the app stopped, where something may have been written to it since."""
    snapshot, way = facts.find(Snapshot), facts.find(WayBack)
    settled = facts.find(Quarantine) is not None or (way is not None and way.decision != "swap")
    if snapshot is None or settled or not _may_have_written(records):
        return ()
    live, named = snapshot.source, run_id.replace("-", "_")
    aside = f"{live[:_NAME_AT_MOST]}__failed_{named}"
    lost = facts.find(LostSnapshot)
    if lost is None and snapshot.database is not None:
        return shell.swap(live, snapshot.database, aside)
    side = f"{live[:_NAME_AT_MOST]}__restore_{named}"
    return (*_build_load_steps(shell, facts, lost, side), *shell.swap(live, side, aside))


def _build_load_steps(shell: _Shell, facts: Facts, lost: LostSnapshot | None, side: str) -> tuple[str, ...]:
    snapshot = facts.find(Snapshot)
    own = snapshot.backup if snapshot and snapshot.backup else facts.find(Receipt)
    whole = lost.receipt if lost else own
    if whole is None and own is not None:
        told = f"# no backup on this host reads back whole: put {own.path} back from a copy of yours before you go on"
        return (told, *shell.load(own, side))
    if whole is None:
        return ()
    told = f"# {whole.path} is of {whole.taken_at:%Y-%m-%d %H:%M} UTC; what was written since is in what is set aside"
    return (told, *shell.load(whole, side))


def _build_image_steps(facts: Facts) -> tuple[str, ...]:
    """The old image, where somebody has removed it meanwhile."""
    project, current, target = facts.find(FrozenProject), facts.find(Current), facts.find(Target)
    if project is None or current is None or target is None or current.digest is None:
        return ()
    by_digest = f"{target.repository}@{current.digest}"
    by_tag = f"{target.repository}:{project.pin_text.partition('@')[0]}"
    look, pull = shlex.join(["docker", "image", "inspect", current.image_id]), shlex.join(["docker", "pull", by_digest])
    return (f"{look} >/dev/null || {{ {pull} && {shlex.join(['docker', 'tag', by_digest, by_tag])}; }}",)


def _may_have_written(records: Sequence[Record]) -> bool:
    return any(one.record == "entered" and one.payload["kind"] in _WRITERS for one in records)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
