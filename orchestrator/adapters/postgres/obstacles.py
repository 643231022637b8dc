"""What a PostgreSQL server says of a database, as obstacles to an upgrade with their cure; pure."""

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

from orchestrator.adapters.postgres.sql import quote_name
from orchestrator.core.foresight import Obstacle

_READ_ONLY = "default_transaction_read_only"
_OTHER_BASE = (
    "Go back to an image of the base that it was made on (Debian or Alpine), or dump the database and restore it into"
    " a new one."
)
_TRUE = frozenset({"on", "true", "yes", "1", "t", "y"})
_OFF = frozenset({"0", "off", "0ms", "0s", "0min"})


class Limit(BaseModel):
    """A setting ``name=value`` that holds for a role, or (empty) for everybody."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    role: str
    text: str


class Standing(BaseModel):
    """How the server and its catalog stand to the database, asked from outside of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    standby: bool
    template: bool
    admits: bool
    whole: bool
    superuser: bool
    rights: bool
    role: str
    collation: str | None = None
    installed_collation: str | None = None
    subscriptions: tuple[str, ...] = ()
    settings: tuple[Limit, ...] = ()


class Contents(BaseModel):
    """What is in the database that a copy or a scratch server would stumble over."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    collations: tuple[str, ...] = ()
    tablespaces: tuple[str, ...] = ()
    settings: tuple[Limit, ...] = ()


def find_standing_obstacles(name: str, standing: Standing) -> list[Obstacle]:
    """What is seen from outside of the database."""
    found, quoted = [], quote_name(name)
    if standing.standby:
        found.append(
            Obstacle(
                code="database.standby",
                what=f"The server of {name} is a standby: it repeats what another server does, and takes no writes.",
                hint="Name the service of the primary under `database: service:`, or promote this one.",
            )
        )
    if not standing.admits:
        found.append(
            Obstacle(
                code="database.fenced",
                what=f"Database {name!r} lets nobody in: an upgrade has closed it, or somebody else.",
                hint=f"If no upgrade is at work: ALTER DATABASE {quoted} ALLOW_CONNECTIONS true;",
            )
        )
    if not standing.whole:
        found.append(
            Obstacle(
                code="database.invalid",
                what=f"Database {name!r} is marked invalid: a DROP DATABASE of it was cut off, and it cannot be used.",
                hint="Restore it from a backup first.",
            )
        )
    if not standing.rights:
        found.append(
            Obstacle(
                code="database.rights",
                what=f"The role {standing.role} may not copy, close and swap {name}.",
                hint="Name a superuser under `database: user:`.",
            )
        )
    if standing.template:
        found.append(
            Obstacle(
                code="database.template",
                what=f"{name} is marked as a template, which cannot be dropped once it was set aside.",
                hint=f"ALTER DATABASE {quoted} IS_TEMPLATE false;",
            )
        )
    if standing.subscriptions:
        listed = ", ".join(standing.subscriptions)
        found.append(
            Obstacle(
                code="refused.replication",
                what=f"{name} receives logical replication ({listed}), which writes into it also while the app is"
                " stopped, and would not follow a way back.",
                hint="Drop the subscriptions for the upgrade and set them up anew after it.",
            )
        )
    if standing.collation and standing.collation != standing.installed_collation:
        refresh = f"REINDEX DATABASE {quoted}; and then ALTER DATABASE {quoted} REFRESH COLLATION VERSION; in psql."
        found.append(
            Obstacle(
                code="database.collation",
                what=f"{name} was made with the collation version {standing.collation}, and the server's library has"
                f" {standing.installed_collation or 'none'}: its image has another base now. PostgreSQL refuses to copy"
                " the database, and indexes on text may be wrong.",
                hint=refresh if standing.installed_collation else _OTHER_BASE,
            )
        )
    return [*found, *_find_limits(name, standing.settings)]


def find_contents_obstacles(name: str, contents: Contents, *, rehearsed: bool) -> list[Obstacle]:
    """What is seen inside of the database; ``rehearsed``: a scratch server must hold a copy of it, too."""
    found = []
    if contents.tablespaces and rehearsed:
        listed = ", ".join(contents.tablespaces)
        first = quote_name(contents.tablespaces[0])
        found.append(
            Obstacle(
                code="rehearse.tablespace",
                what=f"{name} keeps data in a tablespace of its own ({listed}), which the scratch server of a"
                " rehearsal does not have.",
                hint=f"Move them: ALTER TABLE ALL IN TABLESPACE {first} SET TABLESPACE pg_default; (and INDEX, and"
                " ALTER DATABASE … SET TABLESPACE), or leave the state of `kind: rehearse` out of the plan.",
            )
        )
    if contents.collations:
        listed = ", ".join(contents.collations)
        found.append(
            Obstacle(
                code="database.collation",
                what=f"Collations that {name} uses have another version than the server's library: {listed}. Indexes"
                " on text may be wrong.",
                hint="REINDEX what uses them, and then ALTER COLLATION … REFRESH VERSION; in psql.",
                blocks=False,
            )
        )
    return [*found, *_find_limits(name, contents.settings)]


def _find_limits(name: str, settings: Iterable[Limit]) -> list[Obstacle]:
    read_only, limits = [], []
    for one in settings:
        setting, _, value = one.text.partition("=")
        whose = f"{one.text} for {one.role}" if one.role else one.text
        if setting == _READ_ONLY and value.lower() in _TRUE:
            read_only.append(whose)
        elif setting != _READ_ONLY and value.lower() not in _OFF:
            limits.append(whose)
    found = []
    if read_only:
        found.append(
            Obstacle(
                code="database.read_only",
                what=f"Sessions are read-only by setting ({', '.join(read_only)}): a migration of {name} could not"
                " write.",
                hint=f"Take the setting back for the upgrade (`RESET {_READ_ONLY}`), or end what needs it.",
            )
        )
    if limits:
        found.append(
            Obstacle(
                code="database.limits",
                what=f"Settings of the server would cut off a migration of {name} that takes longer:"
                f" {', '.join(limits)}.",
                blocks=False,
            )
        )
    return found
