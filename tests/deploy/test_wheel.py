"""The package as people install it: built, and put into places of its own by uv and by pipx."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
VERSION = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
SHIPPED = "orchestrator/shipped_plans/upgrade.yaml"


def run(argv: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a command far from the checkout to its good end; what it said."""
    done = subprocess.run(
        [str(word) for word in argv],
        cwd="/",
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run([BIN / "uv", "build", "--quiet", "--wheel", "--python", sys.executable, "--out-dir", folder, CHECKOUT])
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_has_all_that_is_needed_and_no_test(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    list_files = ["git", "-C", str(CHECKOUT), "ls-files", "--cached", "--others", "--exclude-standard"]
    sources = run([*list_files, "orchestrator", "states", "webapi", "plans"]).splitlines()
    manual = {name for name in names if name.endswith(".data/data/share/man/man1/orchestrator.1")}
    assert len(manual) == 1
    assert names - manual == {re.sub("^plans/", "orchestrator/shipped_plans/", name) for name in sources}
    assert {"webapi/static/update-banner.js", "webapi/templates/runs.html", "webapi/openapi.json", SHIPPED} <= names


def test_uv_installs_a_command_that_works(wheel: Path, tmp_path: Path) -> None:
    places = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(tmp_path / "bin")}
    run([BIN / "uv", "tool", "install", "--quiet", "--python", sys.executable, wheel], places)
    check_command(tmp_path)


def test_pipx_installs_a_command_that_works(wheel: Path, tmp_path: Path) -> None:
    places = {"PIPX_HOME": str(tmp_path / "tools"), "PIPX_BIN_DIR": str(tmp_path / "bin")}
    run([BIN / "pipx", "install", "--quiet", "--python", sys.executable, wheel], places)
    check_command(tmp_path)


def check_command(folder: Path) -> None:
    """It says its version, and finds no fault in the plan that came with it."""
    command = folder / "bin" / "orchestrator"
    (plan,) = (folder / "tools").rglob(SHIPPED)
    assert run([command, "--version"]) == f"orchestrator, version {VERSION}\n"
    assert run([command, "lint", plan]).endswith("no problem in 15 states and 5 ends\n")
