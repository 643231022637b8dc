"""The fakes of everything around the host: registry, release feed, users' way in, operator, earlier runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from orchestrator.core.earlier_runs import CommittedRun, EndedRun, FailedRun
from orchestrator.core.errors import ReleaseError
from orchestrator.core.model.progress import Question
from orchestrator.core.model.releases import Release
from orchestrator.core.model.workloads import ProbeAnswer
from orchestrator.core.store_facts import BackupManifest
from tests.tools.things import Condition, FakeContainer
from tests.tools.world import FakeWorld

PRIVATE_HOST = "172.30.0.2"

_FIRST_PUBLISHED = datetime(2025, 1, 1, tzinfo=UTC)


class FakeFeed:
    """`ReleaseFeed`: the announced ones of the world's releases."""

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def list_releases(self) -> tuple[Release, ...]:
        self._world.script.look("feed.list_releases")
        if not self._world.online:
            raise ReleaseError("releases.unreachable", "The release source does not answer.")
        return tuple(
            Release(
                version=release.version,
                notes=release.notes,
                published_at=_FIRST_PUBLISHED + timedelta(days=day),
                prerelease=release.prerelease,
                draft=release.draft,
            )
            for day, release in enumerate(self._world.releases.values())
            if release.announced
        )


class FakeProbe:
    """`Probe`: what the app answers at this moment; every address of it says the version.

    Behind a closed gate only its private address answers.
    """

    def __init__(self, world: FakeWorld) -> None:
        self._world = world

    def get(self, url: str, *, timeout_s: float, asked: str | None = None) -> ProbeAnswer:
        self._world.script.look("probe.get")
        container = self._world.containers.get(self._world.services[0])
        private = urlsplit(url).hostname == PRIVATE_HOST
        if container is not None and container.gated and not private:
            return ProbeAnswer(status=None, error="Connection refused")
        return self.answer(self._world, asked or url)

    @staticmethod
    def answer(world: FakeWorld, asked: str) -> ProbeAnswer:
        """What the app in a world answers to who asks it by this address."""
        container = world.containers.get(world.services[0])
        if container is None or not world.listens(container):
            return ProbeAnswer(status=None, error="Connection refused")
        if world.knows_its_host and urlsplit(asked).hostname != world.host_name:
            return ProbeAnswer(status=400, body="Bad host")
        return FakeProbe._answer(world, container)

    @staticmethod
    def _answer(world: FakeWorld, container: FakeContainer) -> ProbeAnswer:
        healthy = world.condition(container) is Condition.HEALTHY
        release = container.image.release
        said = {"status": "ok" if healthy else "unavailable", "version": release.reports if release else None}
        return ProbeAnswer(status=200 if healthy else 503, body=json.dumps(said))


@dataclass
class FakeOperator:
    """`Operator` who always answers the same; None is nobody at the terminal. ``asked`` happens while he reads."""

    answer: bool | None = True
    questions: list[Question] = field(default_factory=list)
    asked: Callable[[], object] = lambda: None

    def confirm(self, question: Question) -> bool | None:
        self.questions.append(question)
        self.asked()
        return self.answer


@dataclass
class FakeHistory:
    """`History` as a test wants it."""

    kept_receipts: list[BackupManifest] = field(default_factory=list)
    ended: list[EndedRun] = field(default_factory=list)
    failures: dict[str, FailedRun] = field(default_factory=dict)
    failed_trials: dict[str, FailedRun] = field(default_factory=dict)
    committed: CommittedRun | None = None

    def receipts(self) -> tuple[BackupManifest, ...]:
        return tuple(sorted(self.kept_receipts, key=lambda receipt: receipt.taken_at, reverse=True))

    def ended_runs(self) -> tuple[EndedRun, ...]:
        return tuple(self.ended)

    def find_failure(self, digest: str) -> FailedRun | None:
        return self.failures.get(digest)

    def find_failed_trial(self, digest: str) -> FailedRun | None:
        return self.failed_trials.get(digest)

    def last_commit(self) -> CommittedRun | None:
        return self.committed
