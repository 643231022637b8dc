"""Look up users and groups of this host: their names, and the other members of a group or an access list."""

import errno
import grp
import os
import pwd
import struct
from collections.abc import Collection
from pathlib import Path

_ACL = "system.posix_acl_access"
_ACL_VERSION_BYTES = 4
_ACL_ENTRY = struct.Struct("<HHI")  # tag, permissions, id
_ACL_USER, _ACL_GROUP, _ACL_MASK, _WRITE = 0x02, 0x08, 0x10, 0x2
_FIRST_OF_PEOPLE = 1000
_NO_ACL = frozenset({errno.ENODATA, errno.EOPNOTSUPP, errno.ENOSYS})


def find_name(number: int, *, group: bool = False) -> str:
    """Return ``bob (1000)`` for a user or a group, or the number alone where this host knows no name."""
    try:
        name = grp.getgrgid(number).gr_name if group else pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
    return f"{name} ({number})"


def find_user(text: str) -> int:
    """Return the id of a user given by name or number. Raises `KeyError`: this host knows no such name."""
    return int(text) if text.isascii() and text.isdigit() else pwd.getpwnam(text).pw_uid


def is_own_group(gid: int, users: Collection[int]) -> bool:
    """Tell whether a group has no member but these users: their private one, or an empty one of the system.

    A private group has the name of its user. Where its name is not known, as in a container, its number is that of the
    user.
    """
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return gid in users
    names = {_find_login(user) for user in users}
    if not names.issuperset(group.gr_mem):
        return False
    return group.gr_name in names or (gid < _FIRST_OF_PEOPLE and not _is_primary(gid, users))


def find_acl_writer(path: Path, users: Collection[int]) -> str:
    """Name another user whom an access list lets write; empty where there is none."""
    try:
        content = os.getxattr(path, _ACL)[_ACL_VERSION_BYTES:]
    except OSError as error:
        if error.errno in _NO_ACL:
            return ""
        raise
    entries = list(_ACL_ENTRY.iter_unpack(content[: len(content) // _ACL_ENTRY.size * _ACL_ENTRY.size]))
    if not all(permissions & _WRITE for tag, permissions, _ in entries if tag == _ACL_MASK):
        return ""
    for tag, permissions, number in entries:
        if tag == _ACL_USER and permissions & _WRITE and number not in users:
            return f"user {find_name(number)}, by an access list"
        if tag == _ACL_GROUP and permissions & _WRITE and not is_own_group(number, users):
            return f"group {find_name(number, group=True)}, by an access list"
    return ""


# Only of a system's group, whose users are this host's own: a directory service need not list those that it has.
def _is_primary(gid: int, users: Collection[int]) -> bool:
    return any(user.pw_gid == gid and user.pw_uid not in users for user in pwd.getpwall())


def _find_login(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
