"""Whose files a database's are, read from what the engine says of mounts; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import ConfigDict, Field, TypeAdapter

from orchestrator.adapters.docker.models import PROJECT_LABEL, Soft


@dataclass(frozen=True)
class Storage:
    """Where the files are. ``volume`` is empty for a folder of the host; ``sharers`` may write there, too."""

    volume: str = ""
    anonymous: bool = False
    sharers: tuple[str, ...] = ()


class Mount(Soft):
    """One of ``Mounts`` of a container."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str = Field(default="", alias="Type")
    name: str = Field(default="", alias="Name")
    destination: str = Field(default="", alias="Destination")
    writable: bool = Field(default=True, alias="RW")


class Mounter(Soft):
    """One container of ``GET /containers/json``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    names: tuple[str, ...] = Field(default=(), alias="Names")
    labels: dict[str, str] = Field(default={}, alias="Labels")
    mounts: tuple[Mount, ...] = Field(default=(), alias="Mounts")


MOUNTS = TypeAdapter(tuple[Mount, ...])
MOUNTERS = TypeAdapter(tuple[Mounter, ...])


def find_volume(mounts: Sequence[Mount], directory: str) -> str:
    """The volume that a directory of the container lies in; empty where it is none."""
    place = PurePosixPath(directory)
    around = [one for one in mounts if place.is_relative_to(one.destination or "/")]
    nearest = max(around, key=lambda one: len(one.destination), default=None)
    return nearest.name if nearest is not None and nearest.kind == "volume" else ""


def find_sharers(mounters: Sequence[Mounter], volume: str, project: str) -> tuple[str, ...]:
    """Containers of other projects, or of none, that may write into the volume, each with its project."""
    found = [
        (one, one.labels.get(PROJECT_LABEL, ""))
        for one in mounters
        if any(mount.name == volume and mount.writable for mount in one.mounts)
    ]
    return tuple(
        f"{one.names[0].lstrip('/')} ({f'project {owner}' if owner else 'of no project'})"
        for one, owner in found
        if owner != project and one.names
    )
