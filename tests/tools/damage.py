"""Damages of a backup file; one list for the suites with and without an engine."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

FLIPS = 100


@dataclass(frozen=True)
class Damage:
    """``do`` is given the backup, and beside it the good backup of another run, which it leaves as it is.

    ``sound`` says that what lies there afterwards is a backup, only not this one: nothing but its hash can tell.
    """

    name: str
    do: Callable[[Path, Path], None]
    sound: bool = False

    def __str__(self) -> str:
        return self.name


def _delete(backup: Path, _: Path) -> None:
    backup.unlink()


def _empty(backup: Path, _: Path) -> None:
    backup.write_bytes(b"")


def _cut(percent: int, backup: Path, _: Path) -> None:
    os.truncate(backup, backup.stat().st_size * percent // 100)


def _flip(seed: int, backup: Path, _: Path) -> None:
    content = bytearray(backup.read_bytes())
    at, bit = divmod(random.Random(seed).randrange(len(content) * 8), 8)
    content[at] ^= 1 << bit
    backup.write_bytes(content)


def _swap(backup: Path, other: Path) -> None:
    backup.write_bytes(other.read_bytes())


# The link leads to the very bytes that were proven: only that it is a link can give it away.
def _link(backup: Path, _: Path) -> None:
    backup.symlink_to(backup.rename(backup.with_name(f"moved-{backup.name}")))


# For root, mode 000 takes nothing away; these two cannot be read by anybody, and a pipe would be waited for.
def _make_folder(backup: Path, _: Path) -> None:
    backup.rename(backup.with_name(f"moved-{backup.name}"))
    backup.mkdir()


def _make_pipe(backup: Path, _: Path) -> None:
    backup.unlink()
    os.mkfifo(backup)


DAMAGES = (
    Damage("deleted", _delete),
    Damage("emptied", _empty),
    *(Damage(f"cut-at-{percent}-percent", partial(_cut, percent)) for percent in (99, 90, 50, 10)),
    *(Damage(f"bit-flip-of-seed-{seed}", partial(_flip, seed)) for seed in range(FLIPS)),
    Damage("swapped-with-another-run", _swap, sound=True),
    Damage("symlink", _link),
    Damage("folder-in-its-place", _make_folder),
    Damage("pipe-in-its-place", _make_pipe),
)
