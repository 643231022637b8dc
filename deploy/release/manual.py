"""Write the manual page orchestrator(1) from the help texts of the commands: `python -m deploy.release.manual`."""

import inspect
from collections.abc import Iterator

import click

from orchestrator import __version__
from orchestrator.cli import main
from orchestrator.cli.catalog import SECTIONS
from orchestrator.core.model.verdict import EXIT_CODES

_FURTHER = {
    2: "the command line or the plan is wrong; nothing was looked at or touched",
    70: "an internal error; the run stopped where it was",
    75: "another run is at work on this project",
    100: "check and run --check: a newer release is there",
}
_VARIABLES = {
    "ORCHESTRATOR_PLAN": "the plan, where a command names none",
    "ORCHESTRATOR_DEBUG": "show the traceback of an internal error",
    "NO_COLOR": "no colours",
    "DOCKER_HOST, DOCKER_CONTEXT": "which engine; a run keeps to the one that it began on",
}


def write_manual() -> str:
    """Write the page as roff."""
    root = click.Context(main, info_name="orchestrator", **main.context_settings)
    lines = [
        f'.TH ORCHESTRATOR 1 "" "orchestrator {__version__}" "User Commands"',
        ".SH NAME",
        rf"orchestrator \- {_escape((main.help or '').rstrip('.').lower())}",
        ".SH SYNOPSIS",
        ".B orchestrator",
        r".I COMMAND \fR[\fIOPTIONS\fR] [\fIPLAN\fR]",
        ".SH DESCRIPTION",
        "Upgrades a Docker Compose project with a PostgreSQL database from the version that runs to a newer release,",
        "along a plan in YAML. Either the new version serves or the old one does, and no write that a user was told is",
        "saved is lost.",
    ]
    for title, entries in SECTIONS.items():
        lines.append(f'.SH "{title.upper()}"')
        for name in entries:
            lines += _tell(root, main.get_command(root, name), f"orchestrator {name}")
    lines += [".SH EXIT STATUS", *_tell_exit_codes(), ".SH ENVIRONMENT"]
    for name, words in _VARIABLES.items():
        lines += [".TP", f".B {_escape(name)}", _escape(words)]
    return "\n".join([*lines, ""])


def _tell(parent: click.Context, command: click.Command | None, path: str) -> Iterator[str]:
    if command is None:
        return
    context = click.Context(command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent)
    pieces = " ".join(command.collect_usage_pieces(context))
    yield from (".SS " + rf"\fB{_escape(path)}\fR {_escape(pieces)}", *_tell_help(command.help or ""))
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and isinstance(parameter, click.Option) and "--help" not in parameter.opts:
            yield from (".TP", f".B {_escape(record[0])}", _escape(record[1]))
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _tell(context, command.get_command(context, name), f"{path} {name}")


def _tell_help(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(inspect.cleandoc(text).replace("\b\n", "\b").split("\n\n")):
        if paragraph.startswith("\b"):
            yield from (".PP", ".nf", ".RS 4", *map(_escape, paragraph[1:].splitlines()), ".RE", ".fi")
        else:
            yield from (*([".PP"] if number else []), _escape(" ".join(paragraph.split())))


def _tell_exit_codes() -> Iterator[str]:
    codes = dict(_FURTHER)
    for verdict, code in EXIT_CODES.items():
        if code not in _FURTHER:
            codes[code] = ", ".join(filter(None, (codes.get(code), verdict.value.replace("_", " "))))
    for code, words in sorted(codes.items()):
        yield from (".TP", f".B {code}", _escape(words))
    yield from (".TP", ".BI 128+ n", "ended by a signal at a safe point")


# A point or a quote at the beginning of a line would be a request, a bare minus is typeset as a hyphen.
def _escape(text: str) -> str:
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    click.echo(write_manual(), nl=False)
