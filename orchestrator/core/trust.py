"""Check who can change the files that are obeyed. A plan can run programs, so write access to it, or to a folder above
it, is as good as our own rights.

Trusted are this process's own user, root, the person who called `sudo`, and users that the operator has named with
``--trust-owner``. A file is right when it, every folder above it up to the root and every link on the way belong to one
of them, and nobody else can write any of these. Two things are ordinary and right: a folder such as ``/tmp`` whose
sticky bit keeps its entries from being renamed by others, and a group that has nobody else in it.
"""

import errno
import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from orchestrator.core.accounts import find_acl_writer, find_name, is_own_group
from orchestrator.core.errors import TrustError

_LINKS_AT_MOST = 40
_SHOWN_AT_MOST = 5


@dataclass(frozen=True)
class Distrust:
    """A fault of a path: in words, its owner where that is the fault, and the command that corrects it."""

    path: Path
    problem: str
    command: str
    owner: int | None = None


class Trust:
    """The trusted users of this process. Everything about it is looked up anew: a process may change its user."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()

    def accept(self, uid: int) -> None:
        """Trust this user too, as long as the process lives."""
        self.accepted.add(uid)

    def find_users(self, environment: Mapping[str, str] | None = None) -> frozenset[int]:
        """Return the user ids of everybody who is trusted."""
        caller = find_caller(os.environ if environment is None else environment)
        return frozenset({0, os.geteuid(), *self.accepted, *([] if caller is None else [caller])})

    def find_distrust(self, path: Path, *, folder: bool = False) -> Distrust | None:
        """Return the first thing on the way to ``path`` that another user can change; None if there is none.

        With ``folder`` nobody else may even create a file in it, or create it where it is not there yet.

        Raises:
            OSError: something on the way cannot be looked at.
        """
        users = self.find_users()
        met = _walk(path)
        judged = (_judge(*one, users, strict=folder and one is met[-1]) for one in met)
        return next(filter(None, judged), None)

    def find_all(self, files: Iterable[Path], folders: Iterable[Path]) -> tuple[Distrust, ...]:
        """Return each fault once, in the order in which it was found."""
        found = [self.find_distrust(path, folder=True) for path in folders] + [*map(self.find_distrust, files)]
        return tuple({one.path: one for one in found if one is not None}.values())


#: Of this process, as there is one operator whom it serves.
TRUST = Trust()


def find_caller(environment: Mapping[str, str]) -> int | None:
    """Return the user who called `sudo`, as it reports; None without `sudo`.

    Only root asks: for anybody else the variable is one of their own, and would let them obey a third person.
    """
    written = environment.get("SUDO_UID", "")
    if os.geteuid() != 0 or not (written.isascii() and written.isdigit()):
        return None
    return int(written)


def require_trusted(*files: Path, folders: tuple[Path, ...] = ()) -> None:
    """Check that nobody but a trusted user can change one of these.

    Raises:
        TrustError: ``trust.other_owner``, ``trust.writable``, ``trust.not_readable``; with the correction.
    """
    try:
        found = TRUST.find_all(files, folders)
    except OSError as error:
        raise TrustError(
            "trust.not_readable",
            f"Whose {error.filename} is cannot be seen: {error.strerror}.",
            impact="Nothing was read or touched.",
            hint="Run as a user who may look at it.",
        ) from error
    if found:
        raise explain_distrust(found)


def explain_distrust(found: tuple[Distrust, ...]) -> TrustError:
    """Build the error that explains the fault and its correction."""
    others = sorted({one.owner for one in found if one.owner is not None})
    told = "; ".join(f"{one.path} {one.problem}" for one in found[:_SHOWN_AT_MOST])
    more = f"; and {len(found) - _SHOWN_AT_MOST} more" if len(found) > _SHOWN_AT_MOST else ""
    hint = f"If nobody has tampered with it: {' && '.join(one.command for one in found[:_SHOWN_AT_MOST])}"
    if others:
        hint += f" – or, if you trust {_name(others[0])} as much as yourself, say once: --trust-owner {others[0]}"
    return TrustError(
        "trust.other_owner" if others else "trust.writable",
        f"Another user can change files that are obeyed: {told}{more}.",
        impact="Nothing was read or touched.",
        hint=hint,
    )


def _judge(path: Path, found: os.stat_result, users: frozenset[int], *, strict: bool) -> Distrust | None:
    quoted, is_link = shlex.quote(str(path)), stat.S_ISLNK(found.st_mode)
    if found.st_uid not in users:
        command = f"chown {'-h ' if is_link else ''}{os.geteuid()} {quoted}"
        return Distrust(path, f"belongs to {_name(found.st_uid)}", command, found.st_uid)
    is_sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
    if is_link or (is_sticky and not strict):  # a link's mode says nothing: its folder says who may replace it
        return None
    writer, command = _find_writer(path, found, users)
    return Distrust(path, f"can be written by {writer}", f"{command} {quoted}") if writer else None


def _find_writer(path: Path, found: os.stat_result, users: frozenset[int]) -> tuple[str, str]:
    """Name another user who may write there, and the command that removes that right; empty for nobody."""
    if found.st_mode & stat.S_IWOTH:
        return f"everybody (mode {stat.S_IMODE(found.st_mode):04o})", "chmod o-w"
    if not found.st_mode & stat.S_IWGRP:  # with an access list these bits are its mask
        return "", ""
    if writer := find_acl_writer(path, users):
        return writer, "setfacl -b"
    if is_own_group(found.st_gid, users):
        return "", ""
    return f"group {find_name(found.st_gid, group=True)} (mode {stat.S_IMODE(found.st_mode):04o})", "chmod g-w"


def _walk(path: Path) -> list[tuple[Path, os.stat_result]]:
    """Yield each folder, link and file that leads to ``path``, from the root on, up to the last that exists for us."""
    here, links = Path("/"), 0
    met = [(here, look(here))]
    waiting = _split(path.absolute())
    while waiting:
        part = waiting.pop()
        if part == "..":
            here = here.parent
            continue
        try:
            found = look(here / part)
        except (FileNotFoundError, NotADirectoryError, PermissionError):  # we could not open it either
            break
        met.append((here / part, found))
        if not stat.S_ISLNK(found.st_mode):
            here /= part
            continue
        links += 1
        if links > _LINKS_AT_MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
        target = (here / part).readlink()
        here = Path("/") if target.is_absolute() else here
        waiting += _split(target)
    return met


def look(path: Path) -> os.stat_result:
    """Return the file system's status of a path, links not followed. Raises `OSError`."""
    return path.lstat()


def _split(path: PurePath) -> list[str]:
    return [part for part in reversed(path.parts) if part != "/"]


def _name(uid: int) -> str:
    return f"user {find_name(uid)}"
