"""A download that breaks off anywhere: what has come of the script does nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.stubs import CHECKOUT, PROGRAMS, Stubs


@pytest.mark.parametrize("name", ["install.sh", "upgrade.sh"])
def test_only_the_whole_script_does_anything(tmp_path: Path, name: str) -> None:
    script = CHECKOUT / "deploy" / name
    stubs = Stubs(tmp_path)
    for program in (*PROGRAMS, "curl", "docker", "wget"):
        stubs.add(program, f": >{tmp_path}/bin/called\nexit 1")
    driver = CHECKOUT / "tests" / "deploy" / "cut_everywhere.sh"
    ended = stubs.run(
        "/bin/sh", driver, script, tmp_path / "bin", path="/usr/bin:/bin", environment={"LC_ALL": "C"}, timeout_s=270
    )
    whole = len(script.read_bytes().rstrip(b"\n"))
    assert (ended.exit_code, ended.stdout.split()) == (0, [str(whole)]), ended.stderr
