"""The test bed: a registry, base images, the ledger's releases, hosts that run it, a feed, and oracles.

    with Bed() as bed:
        bed.publish("1.0.0")
        bed.publish("1.1.0")
        host = bed.host("1.0.0")
        host.install()

Names carry a part that no other bed has; leaving the bed removes all it made, and nothing else. What stays is
machine set-up: the engine, the base images, the build cache and the downloaded wheels.
"""

import secrets
import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import docker

from .commands import BedError, run_command
from .feed import FeedEntry, ReleaseFeed, ledger_entry
from .images import BaseImages, build_ledger, build_orchestrator, ensure_base_images, ensure_wheelhouse
from .ledger_host import LABEL, LedgerHost, set_variable
from .oracle import Acknowledged, Prober, Writer, missing, read_entries
from .registry import Registry, find_free_port

__all__ = [
    "LABEL",
    "Acknowledged",
    "BaseImages",
    "Bed",
    "BedError",
    "FeedEntry",
    "LedgerHost",
    "Prober",
    "Published",
    "Registry",
    "ReleaseFeed",
    "Writer",
    "build_ledger",
    "build_orchestrator",
    "ensure_base_images",
    "ensure_wheelhouse",
    "find_free_port",
    "ledger_entry",
    "missing",
    "read_entries",
    "remove_images",
    "run_command",
    "set_variable",
]


@dataclass(frozen=True, slots=True)
class Published:
    """A release in the bed's registry."""

    version: str
    tag: str
    reference: str
    digest: str


class Bed:
    """Owns everything it hands out; entered once."""

    def __init__(self, name: str = "bed") -> None:
        """Do nothing yet; `name` (lower-case letters, digits) begins every name that the bed gives."""
        self.id = f"{name}-{secrets.token_hex(4)}"
        self._ending = ExitStack()
        self._hosts = 0
        self.folder = Path()
        self.client: docker.DockerClient
        self.bases: BaseImages
        self.registry: Registry

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.bases = ensure_base_images()
            self.client = docker.from_env(timeout=60)
            stack.callback(self.client.close)
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.id}-"))
            stack.callback(shutil.rmtree, self.folder)
            registry_folder = self.folder / "registry"
            registry_folder.mkdir()
            self.registry = Registry(self.client, registry_folder, self.labels)
            stack.callback(remove_images, self.client, self.id)
            stack.callback(self.registry.forget_images)
            stack.enter_context(self.registry)
            self._ending = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.__exit__(kind, error, trace)

    @property
    def repository(self) -> str:
        """Address of the bed's releases."""
        return f"{self.registry.address}/{self.id}/ledger"

    def publish(self, version: str, *, tag: str | None = None, release: str | None = None) -> Published:
        """Build a release, push it, and remove it from the engine, so that every user of it must pull.

        `release` names the folder of `releases/` when `version` is none of them. Raises `BedError`.
        """
        reference = build_ledger(
            version, self.repository, bases=self.bases, tag=tag, release=release, labels=self.labels
        )
        digest = self.registry.push(reference)
        self.client.images.remove(reference)
        return Published(version, reference.rpartition(":")[2], reference, digest)

    def host(self, version: str, folder: Path | None = None, *, announced: Path | None = None) -> LedgerHost:
        """Create a host whose project folder is set to the published release `version`; nothing runs yet.

        `folder` must not exist yet and stays when the bed is left; without it the bed has one of its own. `announced`
        is the feed's file, if the app shall tell its users of newer releases.
        """
        self._hosts += 1
        project = f"{self.id}-{self._hosts}"
        host = LedgerHost(
            client=self.client,
            folder=folder or self.folder / project,
            project=project,
            repository=self.repository,
            tag=f"v{version}",
            postgres_image=self.bases.postgres,
            owner=self.id,
            announced=announced,
        )
        return self._ending.enter_context(host)

    def abandon(self) -> None:
        """Leave everything as it is when the bed is left; somebody else has taken note of what there is."""
        self._ending.pop_all()

    def feed(self, *versions: str) -> ReleaseFeed:
        """Create the release feed, announcing these releases."""
        feed = ReleaseFeed(self.folder / "releases.json")
        feed.announce(*versions)
        return feed

    @property
    def labels(self) -> dict[str, str]:
        """Labels of everything that is this bed's."""
        return {LABEL: self.id}


def remove_images(client: docker.DockerClient, owner: str) -> None:
    """Remove the images whose label `LABEL` is `owner`, whatever names others have given them since."""
    for image in client.images.list(filters={"label": f"{LABEL}={owner}"}):
        client.images.remove(str(image.id), force=True)
