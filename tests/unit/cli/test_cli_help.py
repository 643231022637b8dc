"""Help of the command line: the catalog is true, every command has examples that can be typed."""

import importlib
import pkgutil
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from orchestrator import cli
from orchestrator.cli import main
from orchestrator.cli.catalog import CATALOG

ROOT = click.Context(main, info_name="orchestrator", **main.context_settings)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def walk(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with all its names from `orchestrator` on."""
    for name in group.list_commands(ROOT):
        command = group.get_command(ROOT, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))


COMMANDS = dict(walk(main, ("orchestrator",)))


def find_examples(path: tuple[str, ...]) -> list[str]:
    """Lines of a command's help that can be typed as they are."""
    lines = (COMMANDS[path].help or "").splitlines()
    return [line.strip() for line in lines if line.strip().startswith(f"{' '.join(path)} ")]


def test_the_catalog_has_every_command_of_every_module() -> None:
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"orchestrator.cli.{module.name}")
    assert sorted(main.commands) == sorted(CATALOG)


def test_the_version_that_is_said_is_the_one_of_the_package() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert call("--version").stdout == f"orchestrator, version {project['version']}\n"


# An option that skips backup, rehearsal or verification would make danger ordinary: a new one needs a reason here.
def test_no_option_of_run_skips_a_proof() -> None:
    options = {name for one in COMMANDS["orchestrator", "run"].params for name in one.opts if name.startswith("--")}
    asked = {"--check", "--force", "--version", "--prerelease", "--allow-downgrade", "--retry", "--dry-run"}
    assert options - asked - {"--trust-owner"} == {"--json", "--json-lines", "--quiet", "--verbose"}


@pytest.mark.parametrize("name", CATALOG)
def test_a_summary_is_the_first_sentence_of_the_help_and_fits_80_columns(name: str) -> None:
    command = COMMANDS["orchestrator", name]
    assert command.get_short_help_str(limit=1000) == CATALOG[name].summary
    assert command.callback is not None
    assert command.callback.__module__ == f"orchestrator.cli.{CATALOG[name].module}"
    lines = [line for line in call("--help").stdout.splitlines() if line.startswith(f"  {name} ")]
    assert [line.split(maxsplit=1)[1] for line in lines] == [CATALOG[name].summary]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_has_examples_that_can_be_typed(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*path[1:], "-h").stdout == call(*path[1:], "--help").stdout
    examples = find_examples(path)
    assert examples
    for example in examples:
        assert example in call(*path[1:], "--help").stdout, "it is wrapped"
        command = COMMANDS[path]
        words = shlex.split(example.partition(" > ")[0])[len(path) :]
        for file in (word for word in words if word.endswith(".gz")):
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).touch()
        if isinstance(command, click.Group):
            command, words = COMMANDS[(*path, words[0])], words[1:]
        command.make_context(command.name, words, parent=ROOT)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["statsu"], "'status'"),
        (["recoverr", "--json"], "'recover'"),
        (["backups", "verfy"], "'verify'"),
        (["quarantine", "dorp"], "'drop'"),
        (["run", "--dryrun"], "'--dry-run'"),
        (["run", "--forse"], "'--force'"),
        (["backups", "restore", "--foriegn"], "'--foreign'"),
        (["graph", "--fromat", "text"], "'--format'"),
        (["--versoin"], "'--version'"),
    ],
    ids=" ".join,
)
def test_what_is_mistyped_is_told_with_what_was_meant(typed: list[str], meant: str) -> None:
    done = call(*typed)
    assert done.exit_code == 2
    assert "Did you mean" in done.stderr
    assert meant in done.stderr
