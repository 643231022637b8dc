"""An installed app with a plan of its own, and the real command run on it as its operator would."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import docker
import yaml

from deploy.demo.bed import LedgerHost, ReleaseFeed

CHECKOUT = Path(__file__).resolve().parents[2]
ORCHESTRATOR = Path(sys.executable).with_name("orchestrator")
RUN_TIMEOUT_S = 180

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> dict[str, object]:
        """The one JSON document on stdout."""
        document = json.loads(self.stdout)
        assert isinstance(document, dict)
        return document

    @property
    def said(self) -> str:
        """All that it said, its line breaks as spaces."""
        return " ".join((self.stdout + self.stderr).split())


@dataclass(frozen=True, slots=True)
class Installation:
    """A host of the ledger with its plan file; `feed` announces to it."""

    host: LedgerHost
    feed: ReleaseFeed
    plan: Path

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
        """`orchestrator run PLAN …` to its end."""
        return orchestrator("run", str(self.plan), *arguments, environment=environment)

    def read_env(self) -> bytes:
        """The project's `.env`."""
        return (self.host.folder / ".env").read_bytes()

    def backups(self) -> list[Path]:
        """Files in the backup folder, by name."""
        return sorted((self.host.folder / "backups").iterdir())


class Install(Protocol):
    """Brings a host of the ledger into service, with the machine of a shipped plan."""

    def __call__(
        self, version: str = "1.0.0", *, shipped: str = "upgrade.yaml", rehearsed: bool = True
    ) -> Installation:
        """Install this version; `rehearsed=False` leaves the rehearsal out of the plan."""


def orchestrator(*arguments: str, environment: Mapping[str, str] | None = None) -> Ended:
    """Run the installed command without a terminal."""
    done = subprocess.run(
        [str(ORCHESTRATOR), *arguments],
        cwd="/",
        env={"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def write_ledger_plan(
    host: LedgerHost, feed: ReleaseFeed, *, shipped: str = "upgrade.yaml", rehearsed: bool = True
) -> Path:
    """A plan for a host of the ledger that has the machine of a shipped plan; bad health is seen in 15 s."""
    document = build_ledger_plan(host, feed, shipped, rehearsed=rehearsed)
    path = host.folder / "plan.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def build_ledger_plan(host: LedgerHost, feed: ReleaseFeed, shipped: str, *, rehearsed: bool = True) -> Document:
    """That plan as a document."""
    machine = yaml.safe_load((CHECKOUT / "plans" / shipped).read_text(encoding="utf-8"))
    for state in machine["states"].values():
        if state.get("kind") == "health":
            state["timeout"] = "15s"
        if state.get("kind") == "rehearse":
            state["with"] = {"healthy_within": "15s"}
        if not rehearsed and state.get("then", {}).get("done") == "rehearse":
            state["then"]["done"] = machine["states"]["rehearse"]["then"]["done"]
    if not rehearsed:
        del machine["states"]["rehearse"]
    return {
        "plan": 1,
        "name": "ledger",
        "target": {
            "project": ".",
            "services": ["app"],
            "image": host.repository,
            "migrate": ["app", "ledger", "migrate"],
            "health": {
                "url": f"{host.url}/api/health",
                "steady_for": "1s",
                "version": {"url": f"{host.url}/api/version", "field": "current"},
            },
        },
        "database": {"service": "db"},
        "releases": {"source": "file", "path": str(feed.path)},
        "backups": {"directory": "backups"},
        "initial": machine["initial"],
        "states": machine["states"],
    }


def leave_out(document: Document, kind: str) -> dict[str, Document]:
    """The states of a plan document, from now on without those of a kind: what led there leads past them."""
    states = document["states"]
    assert isinstance(states, dict)
    for name in [name for name, state in states.items() if state.get("kind") == kind]:
        past = states.pop(name)["then"]["done"]
        for state in states.values():
            ways = state.get("then", {})
            ways.update({outcome: past for outcome, to in ways.items() if to == name})
    return states


def find_belongings(client: docker.DockerClient, project: str) -> dict[str, set[str]]:
    """Names of all on the engine that speaks of a project, and the ids of its containers."""
    return {
        "containers": _naming(client.containers.list(all=True, ignore_removed=True), project),
        "volumes": _naming(client.volumes.list(), project),
        "networks": _naming(client.networks.list(), project),
    }


def find_image_names(client: docker.DockerClient, labels: Sequence[str]) -> set[str]:
    """Every tag of the images with these labels."""
    return {tag for image in client.images.list(filters={"label": list(labels)}) for tag in image.tags}


def _naming(things: Sequence[object], project: str) -> set[str]:
    return {str(getattr(thing, "name", "")) for thing in things if project in json.dumps(getattr(thing, "attrs", {}))}
