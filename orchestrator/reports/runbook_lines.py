"""Lines for a shell, for one project and its database: quoted, and each of them to be pasted again without harm."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from orchestrator.core.facts import BackupManifest, Fence, FrozenProject

_VALUE = "[^\"'[:space:]#]*"
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
_RUN_LABEL = "upgrade-orchestrator.run"


@dataclass(frozen=True)
class KeptImage:
    """An image by its id, and the name ``repository:pin`` under which the project asks for it."""

    repository: str
    pin: str
    image_id: str
    digest: str | None

    @property
    def tag(self) -> str:
        """The tag of the pin, without its digest."""
        return self.pin.partition("@")[0]


@dataclass(frozen=True)
class Shell:
    """Command lines for one project and its database."""

    project: FrozenProject
    fence: Fence | None
    run_id: str

    def compose(self, *arguments: str) -> str:
        """A line of Compose, for this project whatever the shell has set."""
        project = self.project
        argv = ["docker", "compose", "--project-name", project.name, "--project-directory", str(project.directory)]
        return shlex.join([*argv, *arguments])

    def up(self) -> str:
        """Start the services as the project's files say."""
        # Made anew: on the containers that were stopped the restart policy is off, and Compose does not see it.
        line = self.compose("up", "-d", "--no-build", "--pull", "never", "--force-recreate", *self.project.services)
        # A variable of the shell would win over the file.
        return f"env -u {self.project.variable} {line}" if self.project.variable else line

    def end_jobs(self) -> str:
        """End what the run has left at work, and keep what it said."""
        folder = shlex.quote(str(self.project.template.parent))
        label = shlex.quote(f"label={_RUN_LABEL}={self.run_id}")
        return (
            f"docker ps --all --quiet --filter {label} | while read -r job; do docker stop $job >/dev/null;"
            f" docker logs $job >{folder}/$job.log 2>&1; docker rm --volumes $job; done"
        )

    def pin(self, text: str) -> tuple[str, ...]:
        """Set the version variable where it is set last; every other byte of the file stays."""
        return (self._pin(text),)

    def hold(self, image: KeptImage) -> tuple[str, ...]:
        """The image by its id, where somebody has removed it meanwhile; and the name by which Compose looks for it."""
        tag = shlex.join(["docker", "tag", image.image_id, f"{image.repository}:{image.tag}"])
        digest = image.pin.partition("@")[2] or image.digest
        pull = shlex.join(["docker", "pull", f"{image.repository}@{digest}"])
        if image.tag == image.pin:
            by_name = shlex.join(["docker", "pull", f"{image.repository}:{image.tag}"])
            # The tag may lead elsewhere by now: only the image that ran counts.
            fetch = pull if digest else f"{{ {by_name} && {_look(image.image_id)}; }}"
            return (f"{_look(image.image_id)} || {fetch}", tag)
        # Compose asks for it by its digest, which an image has from a download only; its tag does as well.
        by_tag = f" || {{ {tag} && {self._pin(image.tag)}; }}" if self.project.variable else ""
        return (f"{_look(f'{image.repository}@{digest}')} || {pull}{by_tag}",)

    def psql(self, *statements: str, database: str | None = None) -> str:
        """Statements as the superuser; the first that fails is the last."""
        fence = self.fence or Fence(database="")
        maintenance = "template1" if fence.database == "postgres" else "postgres"
        argv = ["exec", "-T", fence.service or "db", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        argv += ["-U", fence.user or "postgres", "-d", _connection(database or maintenance)]
        line = self.compose(*argv, *(word for statement in statements for word in ("-c", statement)))
        # Lines that are pasted together are the input of each of them in turn.
        return f"{line} </dev/null" if statements else line

    def reopen(self) -> tuple[str, ...]:
        """Let the app in again."""
        if self.fence is None:
            return ()
        statement = f"ALTER DATABASE {_quoted(self.fence.database)} ALLOW_CONNECTIONS true"
        return (self._start_server(), self.psql(statement))

    def swap(
        self, live: str, source: str, aside: str, *, away_from: str | None = None, back_to: str | None = None
    ) -> tuple[str, ...]:
        """``source`` takes the name of ``live``, which is kept as ``aside``, to be looked into; both or neither.

        Nothing is renamed where ``live`` is not the database with the id ``away_from`` any more, or is that with the id
        ``back_to`` already.
        """
        names = ", ".join(_text(name) for name in (live, source))
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names})"  # noqa: S608
        renames = (
            f"ALTER DATABASE {_quoted(live)} RENAME TO {_quoted(aside)}",
            f"ALTER DATABASE {_quoted(source)} RENAME TO {_quoted(live)}",
            f"ALTER DATABASE {_quoted(aside)} ALLOW_CONNECTIONS true",
        )
        known = away_from or back_to
        if known is None:
            exchange: tuple[str, ...] = ("BEGIN", *renames, "COMMIT")
        else:
            found = f"(SELECT oid::text FROM pg_database WHERE datname = {_text(live)})"  # noqa: S608
            condition = f"{found} IS NOT DISTINCT FROM {_text(known)}"
            condition = f"NOT {condition}" if back_to else condition
            deeds = " ".join(f"EXECUTE {_text(rename)};" for rename in renames)
            exchange = (f"DO $do$ BEGIN IF {condition} THEN {deeds} END IF; END $do$",)
        return (
            self._start_server(),
            self.psql(f"ALTER DATABASE {_quoted(live)} ALLOW_CONNECTIONS false", end, *exchange),
        )

    def load(self, receipt: BackupManifest, name: str) -> tuple[str, ...]:
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

    def _pin(self, text: str) -> str:
        path = str(self.project.directory / ".env")
        if not self.project.variable:
            return f"# set the version variable in {path} to {text}"
        name = self.project.variable.replace(".", r"\.")
        assignment = f"^[[:space:]]*(export[[:space:]]+)?{name}[[:space:]]*[=:]"
        file = shlex.quote(path)
        last = f"$(grep -nE {shlex.quote(assignment)} {file} | tail -n 1 | cut -d: -f1)"
        change = shlex.quote(f"s|({assignment}[[:space:]]*[\"']?){_VALUE}|\\1{text}|")
        return f'sed -i -E --follow-symlinks "{last}"{change} {file}'


def _look(image: str) -> str:
    return f"{shlex.join(['docker', 'image', 'inspect', image])} >/dev/null"


def _connection(name: str) -> str:
    if _PLAIN_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
