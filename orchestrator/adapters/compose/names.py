"""What services, images, databases, roles, volumes, files and commands of an app are called: never to be masked."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath

from orchestrator.plan.schema import Plan
from orchestrator.redaction.secret_detection import is_secret, is_secret_name, read_option

_NAMED = re.compile(r"(?:.*_)?(?:USER|USERNAME|ROLE|OWNER|DB|DATABASE|DBNAME|DATABASES?_NAME|DB_NAME|HOST|HOSTNAME)")
_KNOWN = {"PGUSER": "role", "PGDATABASE": "database", "PGHOST": "service"}
_PLAIN = re.compile(r"[\w.-]{1,128}")
# Of the address of a server with databases; in others what stands last may be a secret.
_ADDRESS = re.compile(
    r"(?:postgres|mysql|mariadb|mongodb|redis|amqp)[\w.+-]{0,16}://"
    r"(?:([^\s/?#@:\"']{1,128})(?::[^\s/?#@\"']*)?@)?([\w.-]{1,255})(?::\d{1,5})?(?:/([\w.-]{1,128}))?"
)
_PLACES = ("source", "target")

Named = Iterator[tuple[str, str]]


def find_plan_names(plan: Plan) -> dict[str, str]:
    """Name → what is called so, as a plan says it."""
    target, database = plan.target, plan.database
    pairs = [
        (plan.name, "plan"),
        *((name, "service") for name in (*target.services, *target.disconnect)),
        *_of_image(target.image),
        *_of_command(target.migrate),
        *((name, "state") for name in plan.states),
        (target.version_variable, "variable"),
        *(pair for path in (plan.source, target.project, plan.backups.directory) for pair in _of_path(str(path))),
    ]
    if database is not None:
        pairs += [(database.service, "service"), (database.user or "", "role"), (database.name or "", "database")]
    return _collect(pairs)


def find_rendering_names(document: object) -> dict[str, str]:
    """Name → what is called so, in a project as Compose renders it."""
    project = document if isinstance(document, Mapping) else {}
    pairs = [(project.get("name"), "project")]
    for kind in ("volumes", "networks", "secrets", "configs"):
        for key, value in _items(project.get(kind)):
            pairs += [(key, kind[:-1]), (value.get("name"), kind[:-1]), *_of_path(value.get("file"))]
    for key, service in _items(project.get("services")):
        pairs += [(key, "service"), *_of_service(service)]
    return _collect(pairs)


def find_setting_names(settings: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name → what is called so, in the settings of an ``.env`` or the lines of a compose file."""
    return _collect(
        pair
        for name, value in settings
        for pair in (_of_image(value) if name.lower() == "image" else _of_setting(name, value))
    )


def find_path_names(path: str) -> dict[str, str]:
    """A path, and each of its parts."""
    return _collect(_of_path(path))


def _of_service(service: Mapping[str, object]) -> Named:
    for name in ("container_name", "hostname", "network_mode"):
        yield from _of_text(service.get(name), "container")
    yield from _of_image(service.get("image"))
    for name in ("command", "entrypoint"):
        yield from _of_command(service.get(name))
    yield from _of_path(service.get("working_dir"))
    for mount in _list(service.get("volumes")):
        if isinstance(mount, Mapping):
            yield from (pair for place in _PLACES for pair in _of_path(mount.get(place)))
    for _, network in _items(service.get("networks")):
        yield from ((str(alias), "host") for alias in _list(network.get("aliases")))
    environment = service.get("environment")
    for name, value in (environment if isinstance(environment, Mapping) else {}).items():
        yield from _of_setting(str(name), value)


def _of_setting(name: str, value: object) -> Named:
    if not isinstance(value, str):
        return
    what = _KNOWN.get(name.upper()) or (_what(name) if _NAMED.fullmatch(name.upper()) else "")
    if what and _PLAIN.fullmatch(value) and not is_secret(name, value):
        yield value, what
    for user, host, database in _ADDRESS.findall(value):
        yield from ((user, "role"), (host, "host"), (database, "database"))


def _what(name: str) -> str:
    word = name.upper().rpartition("_")[2]
    return "role" if word in ("USER", "USERNAME", "ROLE", "OWNER") else "host" if "HOST" in word else "database"


def _of_image(image: object) -> Named:
    """The whole of it, without its tag, its last part, and the tag."""
    if not isinstance(image, str) or not image:
        return
    bare = image.partition("@")[0]
    repository, _, tag = bare.rpartition(":") if ":" in bare.rpartition("/")[2] else (bare, "", "")
    yield from ((name, "image") for name in (image, bare, repository, *repository.split("/")))
    yield tag, "version"


# A word behind an option that speaks of a secret is one.
def _of_command(command: object) -> Named:
    words = command.split() if isinstance(command, str) else _list(command)
    before = ["", *(read_option(word) for word in words)]
    for place, (option, word) in enumerate(zip(before, words, strict=False)):
        if not isinstance(word, str) or is_secret_name(option):
            continue
        if place == 0 or word.startswith("/"):
            yield from _of_path(word)
        if place < 2 and _PLAIN.fullmatch(word):  # noqa: PLR2004 - the program, and what it is to do
            yield word, "command"


def _of_path(path: object) -> Named:
    if isinstance(path, str) and path:
        yield path, "file"
        yield from ((part, "file") for part in PurePath(path).parts)
        yield PurePath(path).stem, "file"


def _of_text(text: object, what: str) -> Named:
    if isinstance(text, str):
        yield text, what


def _items(mapping: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    for key, value in (mapping if isinstance(mapping, Mapping) else {}).items():
        yield str(key), value if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


# The first that is said of a name stays: a service is told before the role that is called like it.
def _collect(pairs: Iterable[tuple[object, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, what in pairs:
        if isinstance(name, str) and name:
            found.setdefault(name, what)
    return found
