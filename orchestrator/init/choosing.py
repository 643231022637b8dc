"""Choose the services of the app and the one of its database; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.core.errors import UsageError
from orchestrator.init.interview import Interview, Open, refusal
from orchestrator.init.survey import Role, Service

Services = Mapping[str, Service]

#: Words of a command, or of a variable, that brings a schema to its version.
MIGRATES = re.compile(
    r"migrat|db:prepare|alembic\s+upgrade|prisma\s+db\s+push|\bupgrade\b|\bupgradedb\b", re.IGNORECASE
)

_SCHEME = re.compile(
    r"postg\w{0,16}(?:\+\w{1,32})?://(?:[^/@\s]*@)?(?P<host>[^/:@\s?]+)(?::\d+)?(?:/(?P<name>[\w.-]+))?"
)
_WORD = re.compile(r"[\w.-]+")
_NAME_KEYS = re.compile(
    r"(^|_)(DB|DATABASE|POSTGRES(QL)?|PG)_*(NAME|DATABASE|DB|DBNAME|_?NAME)$|^PGDATABASE$|^POSTGRES_DB$"
)


@dataclass(frozen=True)
class App:
    """The services that run the release, and (empty if none) a one-shot service of the same image that migrates."""

    repository: str
    services: tuple[str, ...]
    migration: str


def choose_app(services: Services, interview: Interview) -> App:
    """Choose the services of one image that are the app.

    Raises:
        UsageError: ``usage.no_app``, ``usage.app_is_built``, ``usage.app_images``; as `Interview.settle`.
    """
    groups = _group(services)
    given = interview.given.get("--app")
    if given is not None:
        return _app_of(services, _require_known(services, given), interview)
    built = [name for name, one in services.items() if one.builds and not one.repository]
    if not groups:
        raise _only_built(built) if built else _no_app(services)
    ranked = sorted(groups, key=lambda repository: -_rank(groups[repository], services))
    best = ranked[0]
    sure = len(ranked) == 1 or _rank(groups[best], services) > _rank(groups[ranked[1]], services)
    topic = Open(
        "--app",
        "Which service is the app?",
        guess=groups[best][0].name,
        safe=sure and not built,
        why=f"{_listed([one.name for group in groups.values() for one in group] + built)} could be.",
        choices=tuple(name for name, one in services.items() if one.role is Role.APP),
    )
    return _app_of(services, [interview.settle(topic)], interview)


def choose_database(services: Services, app: App, interview: Interview) -> str:
    """Choose the service with the app's database. Raises `UsageError`, ``usage.no_database``, and as `settle`."""
    found = [name for name, one in services.items() if one.role is Role.POSTGRES]
    if given := interview.given.get("--database"):
        return _require_known(services, given)[0]
    if not found:
        raise _no_database(services, app)
    reached = [name for name in found if _reaches(services, app, name)]
    waited = [name for name in reached or found if any(name in services[one].depends_on for one in app.services)]
    candidates = reached if len(reached) == 1 else waited or reached or found
    topic = Open(
        "--database",
        "Which service holds the database of the app?",
        guess=candidates[0],
        safe=len(candidates) == 1 and (len(found) == 1 or bool(reached)),
        why=f"{_listed(found)} run PostgreSQL.",
        choices=tuple(found),
    )
    return interview.settle(topic)


def choose_account(services: Services, app: App, database: str) -> tuple[str | None, str | None]:
    """Choose role and database name where they differ from the server's own POSTGRES_USER and POSTGRES_DB."""
    own = services[database].environment
    user = own.get("POSTGRES_USER")
    spoken_user = None if user else own.get("POSTGRESQL_USERNAME")
    known = own.get("POSTGRES_DB") or user or "postgres"
    named = {name for one in app.services for name in _read_names(services[one], database, services)}
    name = named.pop() if len(named) == 1 else own.get("POSTGRESQL_DATABASE")
    readable = name is not None and "$" not in name
    hidden = any(key in own for key in ("POSTGRES_DB_FILE", "POSTGRES_USER_FILE"))
    return spoken_user, name if readable and (name != known or hidden) else None


def find_poolers(services: Services, database: str) -> tuple[str, ...]:
    """Find services that stay up and whose connections may be ended."""
    found = [name for name, one in services.items() if one.role is Role.POOLER]
    return tuple(name for name in found if services[name].says(database) or database in services[name].depends_on)


def is_one_shot(service: Service, services: Services) -> bool:
    """Tell whether it does something once and ends."""
    awaited = any(one.depends_on.get(service.name) == "service_completed_successfully" for one in services.values())
    return awaited or (not service.restarts and not service.ports and bool(MIGRATES.search(" ".join(service.command))))


def _app_of(services: Services, names: list[str], interview: Interview) -> App:
    repositories = {services[name].repository for name in names}
    repository = services[names[0]].repository
    if not repository:
        raise _only_built(names)
    if len(repositories) > 1:
        raise UsageError(
            "usage.app_images",
            f"{_listed(names)} do not run the same image.",
            impact="Nothing was written. A plan upgrades the services of one image.",
            hint="Name with --app only services of one image.",
        )
    same = [one for one in services.values() if one.repository == repository]
    migrating = [one.name for one in same if is_one_shot(one, services) and MIGRATES.search(_words(one))]
    lasting = [one.name for one in same if not is_one_shot(one, services)]
    chosen = names if len(names) > 1 else lasting
    interview.answers["--app"] = ",".join(chosen)
    return App(repository, _in_order(services, chosen or names), migrating[0] if len(migrating) == 1 else "")


def _in_order(services: Services, names: list[str]) -> tuple[str, ...]:
    """Order services: dependencies start first, and services that publish a port before those that do not."""
    left, ordered = sorted(names, key=lambda name: not services[name].ports), []
    while left:
        free = next((name for name in left if not set(services[name].depends_on) & (set(left) - {name})), left[0])
        left.remove(free)
        ordered.append(free)
    return tuple(ordered)


def _group(services: Services) -> dict[str, list[Service]]:
    groups: dict[str, list[Service]] = {}
    for one in services.values():
        if one.role is Role.APP and one.repository and not is_one_shot(one, services):
            groups.setdefault(one.repository, []).append(one)
    return groups


def _rank(group: list[Service], services: Services) -> int:
    databases = [one.name for one in services.values() if one.role in (Role.POSTGRES, Role.POOLER)]
    reaches = any(one.says(name) or name in one.depends_on for one in group for name in databases)
    publishes = any(one.ports for one in group)
    return 4 * reaches + 2 * publishes + (any(one.depends_on for one in group) and not reaches)


def _reaches(services: Services, app: App, database: str) -> bool:
    """Tell whether the app names it, itself or through a pooler."""
    members = [services[name] for name in app.services]
    if any(one.says(database) for one in members):
        return True
    poolers = [one for one in services.values() if one.role is Role.POOLER and any(m.says(one.name) for m in members)]
    return any(pooler.says(database) for pooler in poolers)


def _read_names(service: Service, database: str, services: Services) -> set[str]:
    hosts = {database, *(one.name for one in services.values() if one.role is Role.POOLER)}
    found = set()
    for key, value in service.environment.items():
        match = _SCHEME.search(value)
        if match and match["host"] in hosts and match["name"]:
            found.add(match["name"])
        elif not match and _NAME_KEYS.search(key) and _WORD.fullmatch(value):
            found.add(value)
    return found


def _words(service: Service) -> str:
    return " ".join((service.name, *service.entrypoint, *service.command))


def _require_known(services: Services, given: str) -> list[str]:
    names = [name.strip() for name in given.split(",") if name.strip()]
    for name in names:
        if name not in services:
            raise refusal(
                "usage.answer_invalid",
                f"The project has no service {name!r}; it has {_listed(list(services))}.",
                hint="A service with a profile is seen when COMPOSE_PROFILES in .env names the profile.",
            )
    return names


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else "".join(names)


def _only_built(names: list[str]) -> UsageError:
    return refusal(
        "usage.app_is_built",
        f"Service {_listed(names)} is built here (`build:` without `image:`), so there is no release to upgrade to.",
        hint="Publish the image and write `image: registry/name:version` in the compose file; or name another --app.",
    )


def _no_app(services: Services) -> UsageError:
    return refusal(
        "usage.no_app",
        f"None of the services {_listed(list(services))} looks like an app.",
        hint="Name it: `--app SERVICE`. A service with a profile is seen when COMPOSE_PROFILES in .env names it.",
    )


def _no_database(services: Services, app: App) -> UsageError:
    others = [name for name, one in services.items() if one.is_other_database]
    known = f"; {_listed(others)} is another kind of database" if others else ""
    return UsageError(
        "usage.no_database",
        f"No service of the project runs PostgreSQL{known}.",
        impact=f"Nothing was written. The data of {_listed(list(app.services))} could not be taken back.",
        hint="Name the service with --database if one does; a server outside the project cannot be upgraded with.",
    )
