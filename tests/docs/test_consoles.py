"""Every command in the pages is accepted by the program."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from orchestrator.cli import main
from tests.docs.consoles import ALL, CHECKOUT, FILES, Shown

_LINK = re.compile(r"\]\((?!https?:)(?P<target>[^)#\s]*)(?:#(?P<part>[^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


def read_arguments(words: list[str], group: click.Group = main, parent: click.Context | None = None) -> click.Context:
    """As the command line would be read, without doing anything. Raises `click.UsageError`."""
    # With its settings: a command keeps the names of its help option from the first context that asks for them.
    context = click.Context(group, parent=parent, **group.context_settings)
    name, command, rest = group.resolve_command(context, words)
    if isinstance(command, click.Group):
        return read_arguments(rest, command, context)
    assert command is not None
    return command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("shown", [one for one in ALL if one.words[0] == "orchestrator"], ids=str)
def test_a_command_that_is_shown_is_one_that_can_be_typed(shown: Shown) -> None:
    assert read_arguments(shown.words[1:]).command.name


@pytest.mark.parametrize("shown", [one for one in ALL if one.words[0] == "make"], ids=str)
def test_a_make_target_that_is_shown_is_there(shown: Shown) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    assert f"\n{shown.words[1]}:" in makefile


def test_a_misspelt_option_would_be_noticed() -> None:
    with pytest.raises(click.UsageError):
        read_arguments(["run", "upgrade.yaml", "--forced"])


@pytest.mark.parametrize("page", FILES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in _LINK.finditer(text):
        target = (page.parent / link["target"]) if link["target"] else page
        assert target.exists(), link["target"]
        if link["part"] and target.suffix == ".md":
            headings = [anchor(match["text"]) for match in _HEADING.finditer(target.read_text(encoding="utf-8"))]
            assert link["part"] in headings


def anchor(heading: str) -> str:
    """As GitHub names it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
