"""What `docker compose config` renders, with a placeholder where the version goes; pure.

Any compose project: services are known by the plan's names, the version by the plan's variable.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from orchestrator.adapters.http.json_reader import DocumentError, read_json
from orchestrator.core.errors import PlatformError

PLACEHOLDER = "v0.0.0-orchestrator-placeholder"

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = "dict[str, Json]"

_VALUES_AT_MOST = 2_000_000
_LOCAL_LOGS = frozenset({"json-file", "local", "journald"})
_READABLE_LOG = "local"
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
    project = parse_rendering(rendering)
    for service in read_services(project).values():
        environment = service.get("environment")
        if isinstance(environment, dict) and environment.get(variable) == pin_text:
            environment[variable] = PLACEHOLDER
    return json.dumps(project, indent=2)


def fill_template(template: str, pin: str) -> str:
    """The rendering at this version."""
    return template.replace(PLACEHOLDER, pin)


def is_same_project(one: str, other: str) -> bool:
    """Whether two renderings say the same."""
    return parse_rendering(one) == parse_rendering(other)


def find_differing(one: Json, other: Json, path: str = "") -> tuple[str, ...]:
    """Dotted paths of the values in which two renderings differ, such as ``services.app.build.args.VERSION``."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(key for key in other if key not in one)]
        return tuple(
            found
            for key in keys
            for found in find_differing(one.get(key), other.get(key), f"{path}.{key}" if path else key)
        )
    return () if one == other else (path,)


def check_template(template: str, services: Sequence[str], variable: str) -> None:
    """Check that these services exist and that their images follow the version variable.

    Raises:
        PlatformError: ``service.unknown``, ``env.variable_unused``.
    """
    known = read_services(parse_rendering(template))
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


def build_job_project(rendering: str, service: str, *, log_driver: str = "json-file") -> str:
    """The rendering for a one-off container: the image is there or it fails, and nothing restarts it.

    `docker compose run` has no ``--pull never`` and would build a service that has a ``build:``. What it says must be
    readable by us: where its log driver keeps nothing that is, it gets one that does. ``log_driver`` is the engine's
    own, for a service that names none.

    Raises:
        PlatformError: ``service.unknown``.
    """
    project = parse_rendering(rendering)
    known = read_services(project)
    if service not in known:
        raise PlatformError("service.unknown", f"The project has no service {service!r} for this command.")
    known[service].pop("build", None)
    known[service].pop("deploy", None)
    known[service].update({"pull_policy": "never", "restart": "no"})
    if not is_log_readable(known[service], log_driver):
        known[service]["logging"] = {"driver": _READABLE_LOG}
    return json.dumps(project, indent=2)


def is_log_readable(service: JsonObject, default: str) -> bool:
    """Whether the engine can be asked for what a service's container said; ``default`` is the engine's log driver.

    It keeps a copy of what goes elsewhere (syslog, fluentd …) unless the service says that it must not.
    """
    logging = read_object(service.get("logging"))
    driver = str(logging.get("driver") or default)
    uncached = str(read_object(logging.get("options")).get("cache-disabled", "")).lower() == "true"
    return driver != "none" and (driver in _LOCAL_LOGS or not uncached)


def read_name(rendering: str) -> str:
    """Name of the project."""
    name = parse_rendering(rendering).get("name")
    if not isinstance(name, str):
        raise _unreadable("has no name")
    return name


def find_dependencies(rendering: str, services: Sequence[str]) -> tuple[str, ...]:
    """What these services depend on, directly or not, themselves left out."""
    known = read_services(parse_rendering(rendering))
    found: list[str] = []
    waiting = list(services)
    while waiting:
        needed = read_object(known.get(waiting.pop(), {}).get("depends_on"))
        new = [service for service in needed if service not in {*found, *services}]
        found += new
        waiting += new
    return tuple(found)


def read_restart_policy(rendering: str, service: str) -> RestartPolicy:
    """The policy that Compose gives; ``deploy.restart_policy`` wins over ``restart``."""
    found = read_services(parse_rendering(rendering))[service]
    deploy = read_object(read_object(found.get("deploy")).get("restart_policy"))
    if deploy:
        condition = str(deploy.get("condition") or "any")
        attempts = deploy.get("max_attempts")
        return RestartPolicy(_CONDITIONS.get(condition, condition), attempts if isinstance(attempts, int) else 0)
    name, _, attempts_text = str(found.get("restart") or "no").partition(":")
    return RestartPolicy(name, int(attempts_text) if attempts_text.isdecimal() else 0)


def parse_rendering(rendering: str) -> JsonObject:
    """A rendering as an object.

    Raises:
        PlatformError: ``compose.invalid``: it is none.
    """
    try:
        document = read_json(rendering.encode("utf-8", "replace"), values=_VALUES_AT_MOST)
    except DocumentError as error:
        raise _unreadable(str(error)) from error
    if not isinstance(document, dict):
        raise _unreadable("is no object")
    return document


def read_services(project: Mapping[str, Json]) -> dict[str, JsonObject]:
    """The services of a project; changing one changes the project."""
    return {name: one for name, one in read_object(project.get("services")).items() if isinstance(one, dict)}


def _unreadable(why: str) -> PlatformError:
    return PlatformError(
        "compose.invalid",
        f"What `docker compose config` has printed {why}.",
        hint="Look whether `docker compose version` shows a release that is supported.",
    )


def read_object(value: Json) -> JsonObject:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_objects(value: Json) -> list[JsonObject]:
    """The objects in a list; none where it is none."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
