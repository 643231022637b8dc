"""A project that was started under another name, or from other files, than its folder gives it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.compose.drift.advice import advise_files, read_origin
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import FOLDER_LABEL, ONE_OFF_LABEL, PROJECT_LABEL, SERVICE_LABEL
from orchestrator.core.errors import PlatformError, RefusedError

_NOT_READ = ("compose.missing", "compose.invalid", "service.unknown", "env.variable_unused")


def check_name(engine: DockerEngine, name: str, directory: Path, services: Sequence[str]) -> None:
    """See `Workloads.check_name`: containers carry the folder that they were started from.

    Raises:
        RefusedError: ``refused.other_name``.
    """
    others: dict[str, set[str]] = {}
    for one in engine.list_containers():
        labels = one.labels or {}
        here = _is_here(labels, directory)
        service = labels.get(SERVICE_LABEL, "")
        if here and service in services and one.state == "running" and labels.get(ONE_OFF_LABEL) != "True":
            others.setdefault(labels.get(PROJECT_LABEL, ""), set()).add(service)
    if not others or name in others:
        return
    listed = " and as ".join(f"{other} ({', '.join(sorted(found))})" for other, found in sorted(others.items()))
    first = min(others)
    raise RefusedError(
        "refused.other_name",
        f"What was started from {directory} runs under another project name: as {listed}, and not as {name}.",
        impact=f"Nothing was touched. A start under the name {name} would make a second app with empty volumes.",
        hint=f"Write `COMPOSE_PROJECT_NAME={first}` into {directory / '.env'}, so that Compose and an upgrade find it.",
    )


def tell_origin(error: PlatformError, engine: DockerEngine, directory: Path) -> PlatformError:
    """The error of a folder that Compose cannot read as it is, with the files that its containers were started with."""
    if error.code not in _NOT_READ:
        return error
    with suppress(PlatformError):
        labels = [one.labels or {} for one in engine.list_containers() if one.state == "running"]
        here = [one for one in labels if _is_here(one, directory)]
        advice = [text for one in here for text in advise_files(read_origin(one), directory, lambda _: False)]
        if advice:
            hint = " ".join(dict.fromkeys(advice))
            return PlatformError(error.code, error.summary, impact=error.impact, hint=hint)
    return error


def _is_here(labels: Mapping[str, str], directory: Path) -> bool:
    return os.path.realpath(labels.get(FOLDER_LABEL, "/")) == os.path.realpath(directory)
