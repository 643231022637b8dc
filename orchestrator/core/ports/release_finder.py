"""Which release is next, as states ask for it."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.core.facts import Current, TargetRelease
from orchestrator.core.model.releases import Release


@dataclass(frozen=True)
class ReleaseRequest:
    """What the operator asks for; without ``version``, the newest. ``retry``: also one that failed here before."""

    version: str | None = None
    prerelease: bool = False
    allow_downgrade: bool = False
    retry: bool = False


@dataclass(frozen=True)
class Choice:
    """What was found. ``newer`` says that there is a ``target`` to go to.

    ``newest`` is the newest release on offer, whatever was asked for; ``without_image`` are the versions that are newer
    than the target, and announced, but whose image is not in the registry yet.
    """

    newer: bool
    current: Current
    target: TargetRelease | None
    newest: Release | None
    without_image: tuple[str, ...] = ()


class ReleaseFinder(Protocol):
    """Asks the platform what runs, the feed what is published and the registry what it is."""

    def find(self, request: ReleaseRequest) -> Choice:
        """Choose the release to go to and pin it by the digest that its tag has now.

        Raises:
            ReleaseError: ``releases.current_unknown``, ``releases.not_found``, ``releases.not_comparable``,
                ``releases.downgrade``, or the feed cannot be read.
            RefusedError: as `running`.
            PlatformError: the engine or the registry cannot be asked.
        """

    def running(self) -> Current:
        """The one version that all services run.

        Raises:
            RefusedError: ``refused.not_running``, ``refused.other_name``, ``refused.mixed_versions``,
                ``refused.several_images``.
            ReleaseError: ``releases.current_unknown``.
        """
