"""What `docker compose config` renders, with a placeholder where the version goes; pure.

Any compose project: services are known by the plan's names, the version by the plan's variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from orchestrator.errors import PlatformError

PLACEHOLDER = "v0.0.0-orchestrator-placeholder"

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

_CONDITIONS = {"none": "no", "on-failure": "on-failure", "any": "always"}


@dataclass(frozen=True)
class RestartPolicy:
    """As the engine has it: ``no``, ``always``, ``unless-stopped``, or ``on-failure`` with attempts."""

    name: str = "no"
    attempts: int = 0


def build_template(rendering: str, variable: str, pin_text: str) -> str:
    """Template of a project that was rendered with the placeholder as its version.

    An ``env_file`` that is the ``.env`` itself hands the version to the container past every override; where
    a service has the variable with the live value, it follows the version too.
    """
    project = _parse(rendering)
    for service in _services(project).values():
        environment = service.get("environment")
        if isinstance(environment, dict) and environment.get(variable) == pin_text:
            environment[variable] = PLACEHOLDER
    return json.dumps(project, indent=2)


def fill_template(template: str, pin: str) -> str:
    """The rendering at this version."""
    return template.replace(PLACEHOLDER, pin)


def is_same_project(one: str, other: str) -> bool:
    """Whether two renderings say the same."""
    return _parse(one) == _parse(other)


def check_template(template: str, services: Sequence[str], variable: str) -> None:
    """Check that these services exist and that their images follow the version variable.

    Raises:
        PlatformError: ``service.unknown``, ``env.variable_unused``.
    """
    known = _services(_parse(template))
    for service in services:
        if service not in known:
            raise PlatformError(
                "service.unknown",
                f"The project has no service {service!r}; it has {', '.join(sorted(known))}.",
                hint="Correct `target.services` in the plan; profiles need COMPOSE_PROFILES in .env.",
            )
        image = known[service].get("image")
        if not isinstance(image, str) or not image.endswith(f":{PLACEHOLDER}"):
            raise PlatformError(
                "env.variable_unused",
                f"The image of service {service!r} does not follow {variable}: it is {image!r}.",
                hint=f"Write `image: repository:${{{variable}}}` in the compose file.",
            )


def build_job_project(rendering: str, service: str) -> str:
    """The rendering for a one-off container: the image is there or it fails, and nothing restarts it.

    `docker compose run` has no ``--pull never`` and would build a service that has a ``build:``.

    Raises:
        PlatformError: ``service.unknown``.
    """
    project = _parse(rendering)
    known = _services(project)
    if service not in known:
        raise PlatformError("service.unknown", f"The project has no service {service!r} for this command.")
    known[service].pop("build", None)
    known[service].pop("deploy", None)
    known[service].update({"pull_policy": "never", "restart": "no"})
    return json.dumps(project, indent=2)


def read_name(rendering: str) -> str:
    """Name of the project."""
    return str(_parse(rendering)["name"])


def find_dependencies(rendering: str, services: Sequence[str]) -> tuple[str, ...]:
    """What these services depend on, directly or not, themselves left out."""
    known = _services(_parse(rendering))
    found: list[str] = []
    waiting = list(services)
    while waiting:
        needed = _object(known.get(waiting.pop(), {}).get("depends_on"))
        new = [service for service in needed if service not in {*found, *services}]
        found += new
        waiting += new
    return tuple(found)


def read_restart_policy(rendering: str, service: str) -> RestartPolicy:
    """The policy that Compose gives; ``deploy.restart_policy`` wins over ``restart``."""
    found = _services(_parse(rendering))[service]
    deploy = _object(_object(found.get("deploy")).get("restart_policy"))
    if deploy:
        condition = str(deploy.get("condition") or "any")
        attempts = deploy.get("max_attempts")
        return RestartPolicy(_CONDITIONS.get(condition, condition), attempts if isinstance(attempts, int) else 0)
    name, _, attempts_text = str(found.get("restart") or "no").partition(":")
    return RestartPolicy(name, int(attempts_text or 0))


def _parse(rendering: str) -> JsonObject:
    return cast("JsonObject", json.loads(rendering))


def _services(project: Mapping[str, Json]) -> dict[str, JsonObject]:
    return cast("dict[str, JsonObject]", _object(project.get("services")))


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
