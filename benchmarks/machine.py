"""Describe the machine of the measurements."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from deploy.demo.bed import run_command

_ANSWER_S = 30
_GIB = 1024**2  # of /proc/meminfo's kB


def inspect_machine() -> dict[str, object]:
    """Describe its shape and its present load, before anything is measured."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "memory_gib": round(int(_read_field("/proc/meminfo", "MemTotal").split()[0]) / _GIB),
        "processor": _read_field("/proc/cpuinfo", "model name"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "engine": _ask("docker", "version", "--format", "{{.Server.Version}}"),
        "compose": _ask("docker", "compose", "version", "--short"),
        "storage": _ask("docker", "info", "--format", "{{.Driver}}"),
        "commit": _ask("git", "rev-parse", "--short", "HEAD"),
        "load": round(os.getloadavg()[0], 2),
    }


def tell_taken(machine: Mapping[str, object], rounds: int | None) -> str:
    """Return the line above a part's tables; ``rounds`` is None for a part that has its own."""
    busy = float(str(machine["load"])) > float(str(machine["cores"])) / 4
    load = f"load {machine['load']} before the first round" + (": **taken beside other work**" if busy else "")
    counted = f"{rounds} rounds; " if rounds is not None else ""
    return (
        f"Taken {str(machine['taken_at'])[:16].replace('T', ' ')} UTC at {machine['commit']}: {machine['cores']} cores"
        f" ({machine['processor']}), {machine['memory_gib']} GiB, Linux {machine['kernel']}, engine {machine['engine']}"
        f" on {machine['storage']}, Compose {machine['compose']}, Python {machine['python']}; {counted}{load}."
    )


def _read_field(path: str, name: str) -> str:
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "0"


def _ask(*argv: str) -> str:
    return run_command(argv, timeout_s=_ANSWER_S).strip()
