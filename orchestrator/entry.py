"""Where the program begins: as root, without what the caller's environment would have Python load from elsewhere."""

import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

#: They change how Python prints or caches, and not what it loads.
_HARMLESS = frozenset(
    {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONHASHSEED"}
)


def main() -> None:
    """The command `orchestrator`."""
    isolate()
    leave_no_core()
    from orchestrator.cli import main as run  # noqa: PLC0415 - nothing is imported before

    run()


def leave_no_core() -> None:
    """Let a crash write no core file: the memory of this process holds the app's secrets."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def isolate() -> None:
    """Begin anew, as root, without PYTHONPATH and its like and without the user's own site-packages.

    What Python itself has loaded before it came here (``sitecustomize``) has run already: `sudo` keeps these variables
    from root, `upgrade.sh` and the unit for systemd start without them.
    """
    argv, environment = build_isolated(sys.argv, os.environ)
    if os.geteuid() == 0 and not sys.flags.isolated and find_loading(os.environ) and Path(sys.argv[0]).is_file():
        os.execve(sys.executable, argv, environment)  # noqa: S606 - the same program, and no shell


def build_isolated(argv: list[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment of the same command for a Python that believes neither."""
    taken = find_loading(environment)
    return [sys.executable, "-I", *argv], {name: value for name, value in environment.items() if name not in taken}


def find_loading(environment: Mapping[str, str]) -> frozenset[str]:
    """Names of the variables by which Python loads something else than it would."""
    return frozenset(name for name in environment if name.startswith("PYTHON") and name not in _HARMLESS)
