"""Memory of the real commands while their source of releases sends the most that it may."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from benchmarks.process import read_peak, run_measured
from tests.engine.installation import ORCHESTRATOR, Install, Installation
from tests.unit.adapters.releases.flood import FLOODS, flooding

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

MOST_BYTES = 150_000_000
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/")
SOURCES = [
    ("github", "notes"),
    ("github", "keys"),
    ("github", "one note"),
    ("registry", "a page of tags"),
    ("file", "entries"),
]
ENDS = {"check": (0, 10, 100), "run": (0, 10, 100)}  # a lawful end, never a bug's


@pytest.fixture(scope="module")
def installation(install: Install) -> Installation:
    return install()


@contextmanager
def flooded(installation: Installation, source: str, flood: str) -> Iterator[str]:
    """The plan of an installation whose releases come from a flood."""
    if source == "file":
        write_entries(installation.plan.with_name("flood.json"))
        yield write_plan(installation, {"source": "file", "path": "flood.json"})
        return
    with flooding(FLOODS[flood]) as server:
        address = f"127.0.0.1:{server.server_port}"
        yield write_plan(
            installation,
            {"source": "github", "repository": "org/app", "url": f"http://{address}"}
            if source == "github"
            else {"source": "registry", "repository": f"{address}/org/app"},
        )
        assert server.pages > 0, "nobody asked"


def write_plan(installation: Installation, releases: dict[str, str]) -> str:
    """The plan of the installation with other releases."""
    document = yaml.safe_load(installation.plan.read_text(encoding="utf-8"))
    plan = installation.plan.with_name("flooded.yaml")
    plan.write_text(yaml.safe_dump({**document, "releases": releases}, sort_keys=False), encoding="utf-8")
    return str(plan)


def write_entries(path: Path) -> None:
    """As many entries as a source may list, in a file of nearly the size that is read."""
    entries = [{"version": f"v1.{number}.0", "notes": "\U0001f600" + "x" * 120} for number in range(20_000)]
    path.write_text(json.dumps({"releases": entries}, ensure_ascii=False), encoding="utf-8")
    assert 3 * 1024**2 < path.stat().st_size < 4 * 1024**2


@pytest.mark.parametrize(("source", "flood"), SOURCES)
def test_the_memory_of_a_command_is_bounded(installation: Installation, source: str, flood: str) -> None:
    with flooded(installation, source, flood) as plan:
        for command in (("check", plan), ("run", plan, "--force")):
            ended = run_measured([str(ORCHESTRATOR), *command], timeout_s=120, expect=None)
            print(f"{command[0]}, {source}, {flood}: {ended.peak_bytes / 1024**2:.0f} MiB, exit {ended.exit_code}")
            assert ended.exit_code in ENDS[command[0]], ended.stderr
            assert 0 < ended.peak_bytes < MOST_BYTES


@pytest.mark.parametrize(("source", "flood"), SOURCES)
def test_the_memory_of_the_page_is_bounded(installation: Installation, source: str, flood: str) -> None:
    with flooded(installation, source, flood) as plan:
        argv = [str(ORCHESTRATOR), "serve", plan, "--port", "0"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                assert process.stdout is not None
                address = ADDRESS.search(process.stdout.readline())
                assert address is not None
                ask(int(address[1]), "/api/version")
                ask(int(address[1]), "/api/version?force=true")
                ask(int(address[1]), "/")
                peak = read_peak(Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
            finally:
                process.terminate()
        print(f"serve, {source}, {flood}: {peak / 1024**2:.0f} MiB")
        assert 0 < peak < MOST_BYTES


def ask(port: int, path: str) -> None:
    """One question, and an answer that is whole."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (200, 503)
    if path.startswith("/api/"):
        assert json.loads(body)
