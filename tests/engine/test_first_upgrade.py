"""The page of the first upgrade, typed line by line on a real app."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

import pytest

from deploy.demo.oracle import look
from tests.docs.consoles import find_commands
from tests.engine.installation import CHECKOUT, ORCHESTRATOR, Install, Installation

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

PAGE = CHECKOUT / "docs" / "first-upgrade.md"
FOLDER = "/opt/my-app"
TYPE_TIMEOUT_S = 180


def answers(installation: Installation) -> Mapping[str, str]:
    """What its reader answers to `init`, and the one release of the bed that is a good one."""
    return {
        "ORCHESTRATOR_INIT_YES": "1",
        "ORCHESTRATOR_INIT_HEALTH_URL": f"{installation.host.url}/api/health",
        "ORCHESTRATOR_INIT_MIGRATE": "app ledger migrate",
        "ORCHESTRATOR_CHECK_VERSION": "v1.1.0",
        "ORCHESTRATOR_RUN_VERSION": "v1.1.0",
    }


def type_line(line: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Into a shell that finds the program."""
    path = f"{ORCHESTRATOR.parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd="/",
        env={"PATH": path, "HOME": "/root", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TYPE_TIMEOUT_S,
        check=False,
    )


def test_every_line_of_the_page_does_what_the_page_says(install: Install) -> None:
    installation = install()
    host = installation.host
    versions: list[str] = []
    for shown in find_commands(PAGE):
        done = type_line(shown.line.replace(FOLDER, str(host.folder)), answers(installation))
        assert done.returncode == (shown.exit_code or 0), f"{shown}\n{done.stdout}{done.stderr}"
        versions.append(look("127.0.0.1", host.app_port).version or "none")
    assert len(versions) > len({"init", "lint", "check", "dry run", "run", "recover", "rollback"})
    assert list(dict.fromkeys(versions)) == ["1.0.0", "1.1.0"]
    assert versions[-1] == "1.0.0"
