"""A real file system of a few MiB that can be filled to its last byte."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class SmallDisk:
    """What is mounted at ``folder``."""

    folder: Path

    @property
    def free_bytes(self) -> int:
        """Room for anybody."""
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize

    def fill(self, name: str = "filling", *, leave: int = 0) -> None:
        """Take all room but ``leave`` bytes; again and again if need be."""
        with (self.folder / name).open("ab", buffering=0) as stream:
            while self.free_bytes > leave:
                try:
                    stream.write(bytes(min(MIB, self.free_bytes - leave)))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return

    def empty(self, name: str = "filling") -> None:
        """Give it back."""
        (self.folder / name).unlink(missing_ok=True)


@contextmanager
def small_disk(folder: Path, kind: str, size: int) -> Iterator[SmallDisk]:
    """Mount a ``tmpfs`` or an ``ext4`` of ``size`` bytes there; a machine where that cannot be done fails the test."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    image = folder.with_name(f"{folder.name}.image")
    if kind == "ext4":
        with image.open("wb") as stream:
            stream.truncate(size)
        _run("mkfs.ext4", "-q", "-m", "0", "-F", str(image))
        _run("mount", "-o", "loop", str(image), str(folder))
    else:
        _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))
    try:
        folder.chmod(0o700)
        yield SmallDisk(folder)
    finally:
        _run("umount", str(folder))
        image.unlink(missing_ok=True)


def _run(*argv: str) -> None:
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*as_root, *argv], check=True, capture_output=True, timeout=60)
