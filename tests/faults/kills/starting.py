"""The real command on a project whose `docker` is a script of ours, so that it stays where a test wants it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline

ORCHESTRATOR = Path(sys.executable).with_name("orchestrator")

_DOCKER = """\
#!/bin/sh
echo $$ >> "{folder}/asked"
while [ ! -e "{folder}/answer" ]; do sleep 0.05; done
exit 1
"""
_PLAN = """\
plan: 1
name: ledger
target:
  {project: ., services: [app], image: registry.example/ledger, health: {url: "http://localhost:1/", steady_for: 1s}}
releases: {source: file, path: releases.json}
backups: {directory: backups}
initial: stop
states:
  stop: {kind: stop, then: {done: pull, failed: rollback}, with: {snapshot: false}}
  pull: {kind: pull, then: {done: start, failed: rollback}}
  start: {kind: start, then: {done: health, failed: rollback}}
  health: {kind: health, then: {done: commit, failed: rollback}}
  commit: {kind: commit, then: {done: upgraded, failed: stranded}}
  rollback: {kind: rollback, then: {done: rolled_back, failed: stranded}}
  upgraded: {end: committed}
  rolled_back: {end: rolled_back}
  stranded: {end: needs_operator}
"""


@dataclass
class Project:
    """A folder with a plan; whoever asks its `docker` waits for `let_answer`."""

    folder: Path
    begun: list[subprocess.Popen[str]] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path) -> Project:
        """A project in an empty folder."""
        (folder / "bin").mkdir()
        docker = folder / "bin" / "docker"
        docker.write_text(_DOCKER.format(folder=folder), encoding="utf-8")
        docker.chmod(0o755)
        (folder / "plan.yaml").write_text(_PLAN, encoding="utf-8")
        (folder / "compose.yaml").write_text("services: {}\n", encoding="utf-8")
        (folder / ".env").write_text("APP_VERSION=v1.0.0\n", encoding="utf-8")
        return cls(folder)

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the command; ended by `end` at the latest."""
        process = subprocess.Popen(
            [str(ORCHESTRATOR), *arguments, str(self.folder / "plan.yaml")],
            cwd="/",
            env={
                "PATH": f"{self.folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.folder),
                "DOCKER_HOST": f"unix://{self.folder / 'engine.sock'}",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.begun.append(process)
        return process

    def await_asked(self) -> int:
        """Wait until somebody asks `docker`; the process id of that `docker`."""
        asked = self.folder / "asked"
        within = Deadline(SystemClock(), 60, what="The first question to docker")
        return int(within.poll(lambda: asked.read_text().split() if asked.is_file() else None, every_s=0.02)[0])

    def let_answer(self) -> None:
        """Let every `docker` fail from now on."""
        (self.folder / "answer").touch()

    def end(self) -> None:
        """End what is still at work."""
        self.let_answer()
        for process in self.begun:
            if process.poll() is None:
                process.kill()
            process.communicate()


def is_alive(pid: int) -> bool:
    """Whether there is such a process and it is at work."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_process(pid: int) -> None:
    """End one that outlived the command which began it."""
    if is_alive(pid):
        os.kill(pid, 9)
