"""Imports of a command before it acts: help, version and suggestions wait for no library but click."""

import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from orchestrator.cli.catalog import CATALOG

_TELL_IMPORTS = """
import json, sys
before = set(sys.modules)
from orchestrator.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments, prog_name="orchestrator")
    except SystemExit as end:
        assert not end.code, arguments
print(json.dumps(sorted(set(sys.modules) - before)), file=sys.stderr)
"""

#: Of Python itself, what would be felt.
SLOW = {"importlib.metadata", "asyncio", "unittest", "sqlite3", "subprocess"}

#: All of ours that is needed to say what commands there are.
FACE = {"orchestrator", "orchestrator.cli", "orchestrator.cli.catalog", "orchestrator.cli.group"}
FACE |= {"orchestrator.cli.streams"}


def find_imports(*calls: Sequence[str]) -> set[str]:
    """Modules that a fresh interpreter has imported after these calls, those of Python itself left out."""
    argv = [sys.executable, "-c", _TELL_IMPORTS, json.dumps(calls)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    modules = json.loads(done.stderr.splitlines()[-1])
    return {name for name in modules if name in SLOW or name.partition(".")[0] not in sys.stdlib_module_names}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_first_output_imports_no_command(option: str) -> None:
    found = find_imports([option])
    assert {name for name in found if name.partition(".")[0] != "click"} == FACE


def test_help_of_every_command_imports_click_and_our_command_line_alone() -> None:
    found = find_imports(*([name, "--help"] for name in CATALOG))
    assert {name.partition(".")[0] for name in found} == {"click", "orchestrator"}
    ours = {name for name in found if name.startswith("orchestrator.")}
    assert {name for name in ours if not name.startswith("orchestrator.cli")} == set()
