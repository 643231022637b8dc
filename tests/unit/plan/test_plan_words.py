"""Words of a plan that would mean something else on a command line are refused where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.plan.load import parse_plan
from states.registry import KINDS

SHIPPED = (Path(__file__).parents[3] / "plans" / "upgrade.yaml").read_text(encoding="utf-8")
SOURCE = Path("/etc/upgrade-orchestrator/app.yaml")
# fmt: off
LOADERS = (
    "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "ld_preload", "DYLD_INSERT_LIBRARIES", "GCONV_PATH", "LD_VERSION",
    "PATH", "HOME", "IFS", "ENV", "BASH_ENV", "BASH_FUNC_x", "SHELLOPTS", "TMPDIR", "LC_ALL", "LANG", "TZ",
    "PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "PERL5LIB", "RUBYOPT", "NODE_OPTIONS", "JAVA_TOOL_OPTIONS", "GODEBUG",
    "GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_API_VERSION", "COMPOSE_FILE",
    "COMPOSE_PROJECT_NAME", "BUILDKIT_HOST", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "SSL_CERT_FILE",
    "XDG_RUNTIME_DIR", "SUDO_UID", "ORCHESTRATOR_TRUST_OWNER", "PGHOST", "PGSERVICEFILE",
)
ORDINARY = (
    "APP_VERSION", "VERSION", "TAG", "IMAGE_TAG", "LEDGER_VERSION", "PATHFINDER_VERSION", "GITEA_VERSION", "LDAP_TAG",
    "NODERED_TAG", "PGADMIN_TAG", "GOTIFY_TAG", "DOCKER_TAG", "DOCKER_IMAGE_TAG", "PYTHON_VERSION", "NODE_VERSION",
    "GIT_REV", "JAVA_VERSION", "PG_VERSION", "PROXY_MANAGER_VERSION", "HOME_ASSISTANT_TAG", "app_version",
)
# fmt: on


def find_problems(before: str, after: str) -> tuple[str, ...]:
    assert before in SHIPPED
    return find_all(SHIPPED.replace(before, after, 1))


def find_all(text: str) -> tuple[str, ...]:
    try:
        parse_plan(text, SOURCE, KINDS)
    except PlanError as error:
        return error.problems
    return ()


def place_of(text: str) -> str:
    """``line:column`` in the shipped plan."""
    before = SHIPPED[: SHIPPED.index(text)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize("name", LOADERS)
def test_a_version_variable_that_programs_obey_is_refused_where_it_stands(name: str) -> None:
    (problem,) = find_problems("version_variable: APP_VERSION", f"version_variable: {name}")
    assert problem.startswith(f"{SOURCE}:{place_of('APP_VERSION       #')}: target.version_variable: ")
    assert name in problem


@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_variable_is_taken(name: str) -> None:
    assert find_problems("version_variable: APP_VERSION", f"version_variable: {name}") == ()


@pytest.mark.parametrize("word", ["--volume=/:/h", "-v", "--", "app x", "", "$(id)", "a;b", "../x", "é"])
def test_a_migration_begins_with_a_service(word: str) -> None:
    (problem,) = find_problems("[app, migrate]", f"[{word!r}, migrate]")
    assert problem.startswith(f"{SOURCE}:{place_of('[app, migrate]').split(':')[0]}:")


def test_words_behind_the_service_are_passed_to_the_container() -> None:
    assert find_problems("[app, migrate]", "[app, sh, -c, 'exec migrate --all']") == ()


@pytest.mark.parametrize("key", ["user", "name"])
@pytest.mark.parametrize(
    "name", ["-h", "--command=x", "a=b", "postgres://evil/x", "postgresql://evil", '"a\\tb"', '"a\\0b"']
)
def test_a_name_in_the_database_is_a_name(key: str, name: str) -> None:
    (problem,) = find_problems("  service: db ", f"  {key}: {name}\n  service: db ")
    assert f"database.{key}" in problem


@pytest.mark.parametrize("name", ["ledger", "my app", "Größe", "a-b", "a.b", "o'brien"])
def test_an_ordinary_name_in_the_database_is_taken(name: str) -> None:
    assert find_problems("  service: db ", f'  name: "{name}"\n  service: db ') == ()


@pytest.mark.parametrize("service", ["--scale", "-d", "a b", "a/b", "$x"])
@pytest.mark.parametrize("where", ["services: [app]", "  service: db "])
def test_a_service_never_looks_like_an_option(service: str, where: str) -> None:
    key, bracket = where.split(":", maxsplit=1)[0].strip(), "[" in where
    indent = where[: len(where) - len(where.lstrip())]
    assert find_problems(where, f"{indent}{key}: [{service!r}]" if bracket else f"{indent}{key}: {service!r} ")


@pytest.mark.parametrize(
    ("run", "on", "is_right"),
    [
        ("[./hook.sh]", "host", True),
        ("[app, '--volume=/:/h']", "app", True),  # behind the name of the service it is the container's own
        ("['--volume=/:/h']", "app", False),
        ("['-c', x]", "host", False),
        ("[' ']", "host", False),
        ("[x]", "--volume=/:/h", False),
    ],
)
def test_a_command_is_a_program_in_a_place(run: str, on: str, is_right: bool) -> None:
    hook = f"  hook: {{kind: command, with: {{run: {run}, on: {on!r}, changes: nothing}},"
    text = SHIPPED.replace("accepted: prefetch", "accepted: hook")
    text = text.replace("  prefetch:", f"{hook} then: {{done: prefetch, failed: refused}}}}\n  prefetch:", 1)
    problems = find_all(text)
    assert (problems == ()) is is_right
    assert all("states.hook" in problem for problem in problems)
