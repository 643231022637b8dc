"""Read a release of the ledger from `releases/<version>/`.

One source serves all releases. A release differs from the one before it in its migration and in the few facts
of its `release.toml`; an image carries its own release and all before it, so that it migrates from any of
them.
"""

import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

STEPWISE_MARK = "-- every statement commits by itself"
"""First line of a migration that runs outside a transaction; its statements end with ';' at a line's end."""


class ReleaseError(Exception):
    """A release folder is missing or is not what a release must be; the message names it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One SQL file; `schema` is the number of the schema that it leads to."""

    schema: int
    name: str
    sql: str

    @property
    def stepwise(self) -> bool:
        """Whether its statements commit one by one."""
        return self.sql.startswith(STEPWISE_MARK)

    @property
    def statements(self) -> list[str]:
        """Its statements; one for a migration that runs in a transaction."""
        if not self.stepwise:
            return [self.sql]
        pieces = self.sql.removeprefix(STEPWISE_MARK).split(";\n")
        return [piece.strip() for piece in pieces if piece.strip()]


@dataclass(frozen=True, slots=True)
class Release:
    """A release with everything that it inherits from the ones before it."""

    version: str
    migrations: tuple[Migration, ...]
    fields: tuple[str, ...] = ()
    healthy: bool = True
    reports: str | None = None

    @property
    def schema(self) -> int:
        """Number of the schema that this release needs."""
        return self.migrations[-1].schema

    def reported(self, app_version: str) -> str:
        """Version that the running release gives out, without a leading v."""
        return self.reports or app_version.removeprefix("v")


@dataclass(frozen=True, slots=True)
class _Folder:
    after: str | None
    fields: tuple[str, ...]
    healthy: bool
    reports: str | None
    migration: Migration


def lineage(releases: Path, version: str) -> list[str]:
    """Versions from the first release to `version`; raises `ReleaseError` for a gap or a ring."""
    found: list[str] = []
    step: str | None = version
    while step is not None:
        if step in found:
            raise ReleaseError(f"release {step} comes after itself")
        found.append(step)
        step = _read_folder(releases / step).after
    return found[::-1]


def load_release(releases: Path, version: str) -> Release:
    """Read a release and what it inherits; raises `ReleaseError`."""
    folders = [_read_folder(releases / step) for step in lineage(releases, version)]
    migrations = tuple(folder.migration for folder in folders)
    schemas = [migration.schema for migration in migrations]
    if schemas != sorted(set(schemas)):
        raise ReleaseError(f"the migrations up to release {version} do not ascend: {schemas}")
    fields = tuple(field for folder in folders for field in folder.fields)
    return Release(version, migrations, fields, folders[-1].healthy, folders[-1].reports)


def carry(releases: Path, version: str, destination: Path) -> None:
    """Copy what the image of `version` carries: its own folder and those of all releases before it."""
    for step in lineage(releases, version):
        shutil.copytree(releases / step, destination / step)


def _read_folder(folder: Path) -> _Folder:
    try:
        facts = tomllib.loads((folder / "release.toml").read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ReleaseError(f"{folder} is not a release: {error}") from error
    unknown = facts.keys() - {"after", "fields", "healthy", "reports"}
    if unknown:
        raise ReleaseError(f"{folder}/release.toml: unknown {', '.join(sorted(unknown))}")
    return _Folder(
        after=facts.get("after"),
        fields=tuple(facts.get("fields", ())),
        healthy=facts.get("healthy", True),
        reports=facts.get("reports"),
        migration=_read_migration(folder),
    )


def _read_migration(folder: Path) -> Migration:
    files = list(folder.glob("*.sql"))
    if len(files) != 1:
        raise ReleaseError(f"{folder} holds {len(files)} migrations; a release has one")
    number, _, name = files[0].stem.partition("_")
    if not number.isdecimal() or not name:
        raise ReleaseError(f"{files[0]} is not called NNNN_name.sql")
    return Migration(int(number), files[0].stem, files[0].read_text(encoding="utf-8"))


if __name__ == "__main__":  # the image build: python -m ledger.release RELEASES VERSION DESTINATION
    carry(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
