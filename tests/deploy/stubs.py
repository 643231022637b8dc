"""Programs that note how they were called and do what a test says, in front of the machine's own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
VERSION = "v1.2.3"
#: Programs of the machine that the scripts call.
PROGRAMS = tuple(
    re.findall(
        r"\w+", "cat chmod chown cmp cp dirname grep head id mkdir mktemp mv od readlink rm sed sha256sum stat tail tr"
    )
)
DIGEST = "sha256:" + "ab" * 32


@dataclass(frozen=True)
class Ended:
    """How a script ended, and the calls of stubs that it made."""

    exit_code: int
    stdout: str
    stderr: str
    calls: tuple[str, ...]


class Stubs:
    """A folder of them; a stub is a shell script, and `$*` is how it was called."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "calls"
        self._bin = folder / "bin"
        self._bin.mkdir(parents=True)

    def add(self, name: str, script: str) -> None:
        """Put a program in front of the machine's, or another one in its place."""
        path = self._bin / name
        path.write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>"{self._log}"\n{script}\n')
        path.chmod(0o755)

    def link(self, *names: str) -> str:
        """The value of PATH on which these programs of the machine are, and the stubs, and nothing else."""
        for name in names:
            if not (self._bin / name).exists():
                (self._bin / name).symlink_to(
                    next(p for p in ("/usr/bin", "/bin") if (Path(p) / name).exists()) + f"/{name}"
                )
        return str(self._bin)

    def run(
        self,
        *argv: str | Path,
        path: str = "",
        environment: Mapping[str, str] | None = None,
        timeout_s: float = 60,
    ) -> Ended:
        """Run a script to its end without a terminal."""
        self._log.write_text("")
        done = subprocess.run(
            ["setsid", *map(str, argv)],
            env={
                "PATH": path or f"{self._bin}:{os.environ['PATH']}",
                "HOME": str(self._bin.parent),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr, tuple(self._log.read_text().splitlines()))


def pack(folder: Path, version: str = VERSION, **environment: str) -> Path:
    """The files of a release in a folder."""
    script = CHECKOUT / "deploy" / "release" / "pack.sh"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    subprocess.run([str(script), version, str(folder)], check=True, timeout=60, env={**kept, **environment})
    return folder
