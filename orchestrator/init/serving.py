"""Settle how to see that the app serves, whether it migrates by itself, and whether its gate can be closed; pure."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from orchestrator.init.choosing import MIGRATES, App
from orchestrator.init.interview import Interview, Open, refusal
from orchestrator.init.survey import Service
from orchestrator.plan.schema import check_url

#: An answer to ``--health-url``: the containers' own health checks are judged.
CONTAINERS = "containers"
#: An answer to ``--migrate``: the app does it as it starts.
ON_START = "on-start"

_ASKED = re.compile(
    r"""
    (?<![\w.:/-]) (?: (?P<scheme>https?)://(?:localhost|[\w.-]+|\[::1?\]) (?::(?P<port>\d+))? (?P<path>/[^\s"'|;$)]*)?
    | (?:localhost|127\.0\.0\.1):(?P<bare_port>\d+)(?P<bare_path>/[^\s"'|;$)]*)? ) (?=[\s"'|;)]|$)
    """,
    re.VERBOSE,
)
_TRUE = ("1", "true", "yes", "on")
_HTTP_PORT = 80


@dataclass(frozen=True)
class Health:
    """``url`` is None where only the containers are judged; ``closable``: a closed gate leaves it answering."""

    url: str | None
    closable: bool


def settle_health(app: App, services: Mapping[str, Service], interview: Interview) -> Health:
    """Settle where to ask whether the app serves. Raises `UsageError`: ``usage.answer_invalid``."""
    members = [services[name] for name in app.services]
    guess = next((url for one in members if (url := _read_url(one))), "")
    judged = any(one.health_test for one in members)
    topic = Open(
        "--health-url",
        "At which address does the app say that it is well?",
        guess=guess or (CONTAINERS if judged else ""),
        example="http://localhost:8080/health",
        why="It has no health check in the compose file that shows one"
        + (
            f"; it publishes {_tell_ports(members)}."
            if any(one.ports for one in members)
            else ", and publishes no port."
        ),
    )
    answer = interview.settle(topic)
    hideable = all(one.network_mode in ("", "bridge", "default", "none") for one in members)
    if answer == CONTAINERS:
        return Health(None, hideable)
    return Health(_check(answer), hideable and _publishes(members, answer))


def settle_migration(app: App, services: Mapping[str, Service], interview: Interview) -> tuple[str, ...]:
    """Settle service and arguments of the migration; empty where the app migrates as it starts.

    Raises:
        UsageError: as `Interview.settle`; ``usage.answer_invalid``: it does not begin with a service.
    """
    members = [services[name] for name in app.services]
    migration = services.get(app.migration)
    visible = shlex.join((migration.name, *migration.command)).replace("$$", "$") if migration else ""
    by_itself = any(_migrates_on_start(one) for one in members)
    topic = Open(
        "--migrate",
        "What brings the database to a new version: `on-start` (the app itself, as it starts), or which command?",
        guess=visible or ON_START,
        safe=bool(visible) or by_itself,
        why="Started on a schema that nobody has migrated, a new version may look healthy and not be.",
    )
    answer = interview.settle(topic)
    if answer == ON_START:
        return ()
    return _split(answer, services)


def _split(answer: str, services: Mapping[str, Service]) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(answer))
    except ValueError:
        words = ()
    if not words or words[0] not in services:
        raise refusal(
            "usage.answer_invalid",
            f"--migrate {answer!r} does not begin with a service of the project.",
            hint=f'Write a service and its arguments: `--migrate "{next(iter(services))} ./migrate"`, or `{ON_START}`.',
        )
    return words


def _migrates_on_start(service: Service) -> bool:
    if MIGRATES.search(" ".join((*service.entrypoint, *service.command))):
        return True
    return any(MIGRATES.search(key) and value.lower() in _TRUE for key, value in service.environment.items())


def _read_url(service: Service) -> str:
    """Return the address that the health check asks inside the container, as the host reaches it; empty without one."""
    match = _ASKED.search(service.health_test)
    if match is None or match["scheme"] == "https":
        return ""
    port = int(match["port"] or match["bare_port"] or _HTTP_PORT)
    found = next((one for one in service.ports if one.target == port), None)
    if found is None:
        return ""
    host = f"[{found.host}]" if ":" in found.host else found.host or "localhost"
    shown = "" if found.published == _HTTP_PORT else f":{found.published}"
    return f"http://{host}{shown}{match['path'] or match['bare_path'] or '/'}"


def _publishes(members: Sequence[Service], url: str) -> bool:
    address = urlsplit(url)
    port = address.port or _HTTP_PORT
    return address.scheme == "http" and any(one.published == port for member in members for one in member.ports)


def _tell_ports(members: Sequence[Service]) -> str:
    ports = sorted({one.published for member in members for one in member.ports})
    return f"port{'s' if len(ports) > 1 else ''} {', '.join(map(str, ports))}"


def _check(url: str) -> str:
    try:
        checked = check_url(url)
        _ = urlsplit(checked).port
    except ValueError as error:
        raise refusal(
            "usage.answer_invalid",
            f"--health-url: {error}.",
            hint="As a user reaches it.",
        ) from error
    return checked
