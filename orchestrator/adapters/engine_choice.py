"""Which engine the environment means, held for as long as the process lives."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from docker.context import ContextAPI
from docker.errors import DockerException

_CHOICES = ("DOCKER_HOST", "DOCKER_CONTEXT")


def hold_engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with the present docker context in it by name.

    Otherwise `docker context use` in the middle of a run would send Compose to another engine than the one that we
    are connected to.
    """
    held = dict(environment)
    if any(held.get(name) for name in _CHOICES):
        return held
    with suppress(DockerException, OSError, ValueError):  # the first call to the engine says what is wrong
        context = ContextAPI.get_current_context()
        if context is not None:
            held["DOCKER_CONTEXT"] = str(context.name)
    return held
