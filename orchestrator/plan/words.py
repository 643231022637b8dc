"""Check texts of a plan that reach a command line or an environment, so that none has another meaning there."""

import re

_SERVICE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CONNECTION = re.compile(r"=|^postgres(ql)?://", re.ASCII)

#: Variables by which a shell, an interpreter, the loader, Docker or Compose does something else than it would.
_OBEYED = re.compile(
    r"""
    (LD|DYLD|GCONV|GLIBC|MALLOC|BASH|COMPOSE|LC|XDG|SUDO|ORCHESTRATOR|NIX|SYSTEMD)_.*
    | PATH | HOME | IFS | ENV | CDPATH | SHELL | SHELLOPTS | BASHOPTS | PS[0-9] | PROMPT_COMMAND | LOCPATH | NLSPATH
    | TMPDIR | USER | LOGNAME | TERM | LANG | LANGUAGE | TZ | TZDIR | EDITOR | VISUAL | PAGER
    | HOSTALIASES | RES_OPTIONS | LOCALDOMAIN | ([A-Z0-9]+_)?PROXY
    | PYTHON[A-Z]+ | PERL5.* | PERLLIB | RUBY(OPT|LIB) | _?JAVA_OPTIONS | JAVA_TOOL_OPTIONS | JDK_JAVA_OPTIONS
    | GO(DEBUG|TRACEBACK|GC|MAXPROCS|MEMLIMIT|ROOT|PATH|PROXY|FLAGS|COVERDIR) | PG[A-Z]+ | DOCKER_API_VERSION
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
#: The same, but for what ends like the name of a version: DOCKER_TAG is an ordinary name.
_OBEYED_FAMILY = re.compile(
    r"(DOCKER|BUILDKIT|BUILDX|GIT|SSH|SSL|CURL|NODE)_(?!.*(VERSION|TAG|RELEASE|IMAGE|REV)$).*",
    re.ASCII | re.IGNORECASE,
)


def check_version_variable(name: str) -> str:
    """Check a variable for a version: programs that see it must not behave differently. Raises `ValueError`."""
    if _OBEYED.fullmatch(name) or _OBEYED_FAMILY.fullmatch(name):
        raise ValueError(f"{name!r} changes what programs do that see it; name a variable of the app, as APP_VERSION")
    return name


def check_migration(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check a service and the program that is run in it. Raises `ValueError`."""
    if words and not _SERVICE.fullmatch(words[0]):
        raise ValueError(f"{words[0]!r} is no name of a service; `migrate` begins with one: [app, migrate]")
    return words


def check_program(words: tuple[str, ...]) -> tuple[str, ...]:
    """Check a program and its arguments: the first must not pass for an option. Raises `ValueError`."""
    if words and (words[0].startswith("-") or not words[0].strip()):
        raise ValueError(f"{words[0]!r} is no program; the first word of `run` is one")
    return words


def check_place(name: str) -> str:
    """Check `host`, or a service. Raises `ValueError`."""
    if not _SERVICE.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a service; write `host` or a service of the compose file")
    return name


def check_database_name(name: str) -> str:
    """Check a role or database: no client may take it for an option or another server. Raises `ValueError`."""
    if name.startswith("-") or _CONTROL.search(name) or _CONNECTION.search(name):
        raise ValueError(f"{name!r} is no name that a database's client takes as one; write the plain name")
    return name
