"""Load a `Plan` from a file. This module is the only one that knows YAML.

YAML is read by the core rules of its version 1.2: ``true`` and ``false`` are the only booleans, and dates,
octal and sexagesimal numbers are texts. Surprises (tags, merge keys, keys that are no text, equal keys) are refused;
size, depth and aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from orchestrator.core.errors import PlanError
from orchestrator.core.files import read_beginning
from orchestrator.core.state_kind import Kinds
from orchestrator.plan.build import build_plan
from orchestrator.plan.schema import Plan
from orchestrator.plan.tree import Entry, Node, Position, Problems, Scalar

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000
MAX_ALIASES = 100

_WORDS: Mapping[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,2})?", re.ASCII)


def load_plan(path: Path, kinds: Kinds) -> Plan:
    """Read and check the plan in a file; relative paths in it start at its folder.

    Raises:
        PlanError: ``plan.not_found``, ``plan.not_readable``, ``plan.not_yaml``, ``plan.invalid``; with all problems.
    """
    return parse_plan(_read_text(path), path, kinds)


def parse_plan(text: str, source: Path, kinds: Kinds) -> Plan:
    """Check the text of a plan as if it stood in ``source``.

    Raises:
        PlanError: ``plan.not_yaml``, ``plan.invalid``; with all problems.
    """
    problems = Problems()
    tree = read_tree(text, source, problems)
    return build_plan(tree, source, text, kinds, problems)


def read_tree(text: str, source: Path, problems: Problems) -> Node:
    """Parse the one document in ``text``; refused parts are added to ``problems``.

    Raises:
        PlanError: ``plan.not_yaml``: it is no YAML, not one document, or beyond the bounds.
    """
    planter = TreeBuilder(problems)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            planter.take(event)
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark or error.context_mark)
        raise _not_yaml(source, place, ": ".join(filter(None, (error.context, error.problem)))) from error
    except yaml.reader.ReaderError as error:
        raise _not_yaml(
            source, Position(1, 1), f"it has a character that YAML does not allow: {error.reason}"
        ) from error
    except _BoundsError as error:
        raise _not_yaml(source, error.position, str(error)) from error
    if planter.root is None:
        raise _not_yaml(source, Position(1, 1), "the file is empty; the README has a plan to start from")
    return planter.root


def _read_text(path: Path) -> str:
    try:
        content = read_beginning(path, MAX_BYTES + 1)
    except FileNotFoundError as error:
        hint = "Copy `plans/upgrade.yaml` to start from, or correct the path."
        raise PlanError("plan.not_found", f"There is no plan {path}.", hint=hint) from error
    except OSError as error:
        what = f"The plan {path} cannot be read: {error.strerror}."
        raise PlanError("plan.not_readable", what, hint="Name a file you may read.") from error
    if len(content) > MAX_BYTES:
        what = f"{path} is larger than 1 MiB, so it is no plan."
        raise PlanError("plan.not_readable", what, hint="Name the YAML file of a plan.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"{path} is no UTF-8 text (byte {error.start})."
        raise PlanError("plan.not_readable", what, hint="Save the plan as UTF-8.") from error


_YAML_HINT = "Look at that place and the line above it: a bracket, a quote or a colon is often the cause."


def _not_yaml(source: Path, position: Position, text: str) -> PlanError:
    line = f"{source}:{position.line}:{position.column}: {text}"
    return PlanError("plan.not_yaml", f"The plan {source} is no usable YAML.", problems=(line,), hint=_YAML_HINT)


def _place(mark: _Mark | None) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else Position(1, 1)


class _Mark(Protocol):
    """A position in the text as the parser counts it, from 0; the C parser has a class of its own for it."""

    @property
    def line(self) -> int: ...
    @property
    def column(self) -> int: ...


class _BoundsError(Exception):
    def __init__(self, position: Position, text: str) -> None:
        super().__init__(text)
        self.position = position


@dataclass
class _Open:
    """A mapping or list whose end was not read yet."""

    position: Position
    is_mapping: bool
    anchor: str | None
    items: list[Node] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    key: Node | None = None


class TreeBuilder:
    """Builds the tree from YAML's events with a stack of its own, so that no nesting can exhaust Python's."""

    def __init__(self, problems: Problems) -> None:
        self.root: Node | None = None
        self._problems = problems
        self._open: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}
        self._aliases = 0
        self._nodes = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the parser."""
        place = _place(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _BoundsError(place, "a second document begins here; a plan is one document")
        elif isinstance(event, yaml.AliasEvent):
            self._add(self._dereference(event, place), None)
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, place)
            self._add(_read_scalar(event, place), event.anchor)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_tag(event.tag, place)
            self._begin(_Open(place, isinstance(event, yaml.MappingStartEvent), event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._end()

    def _begin(self, opened: _Open) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise _BoundsError(opened.position, f"nested deeper than {MAX_DEPTH} levels")
        if opened.anchor:
            self._anchors[opened.anchor] = None  # known, not complete: an alias inside it would have no end
        self._open.append(opened)

    def _end(self) -> None:
        closed = self._open.pop()
        value = closed.entries if closed.is_mapping else tuple(closed.items)
        children = [entry.node for entry in closed.entries.values()] if closed.is_mapping else closed.items
        size = 1 + sum(child.size for child in children)
        height = 1 + max((child.height for child in children), default=0)
        self._add(Node(closed.position, value, size=size, height=height), closed.anchor)

    def _add(self, node: Node, anchor: str | None) -> None:
        self._nodes += 1
        if max(self._nodes, node.size) > MAX_NODES:
            raise _BoundsError(node.position, f"more than {MAX_NODES} values; a plan is never that large")
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
        elif not self._open[-1].is_mapping:
            self._open[-1].items.append(node)
        elif self._open[-1].key is None:
            self._open[-1].key = node
        else:
            self._add_entry(self._open[-1], node)

    def _add_entry(self, mapping: _Open, node: Node) -> None:
        key, mapping.key = mapping.key, None
        if key is None:
            return
        if not isinstance(key.value, str):
            quoted = f'; quote it: "{key.written}"' if key.written else ""
            self._problems.add(key.position, (), f"a key must be a text{quoted} (G14)")
        elif key.value == "<<" and key.written:
            self._problems.add(key.position, (), "merge keys (`<<`) are not read; write the lines out")
        elif key.value in mapping.entries:
            first = mapping.entries[key.value].position
            text = f"duplicate key `{key.value}`, first at line {first.line}, again at line {key.position.line} (G14)"
            self._problems.add(key.position, (), text)
        else:
            mapping.entries[key.value] = Entry(key.position, node)

    def _dereference(self, event: yaml.AliasEvent, place: Position) -> Node:
        self._aliases += 1
        if self._aliases > MAX_ALIASES:
            raise _BoundsError(place, f"more than {MAX_ALIASES} aliases; write the values out")
        if event.anchor not in self._anchors:
            raise _BoundsError(place, f"the alias `*{event.anchor}` has no anchor before it")
        node = self._anchors[event.anchor]
        if node is None:
            raise _BoundsError(place, f"the alias `*{event.anchor}` stands inside its own anchor")
        if len(self._open) + node.height > MAX_DEPTH:
            raise _BoundsError(place, f"nested deeper than {MAX_DEPTH} levels")
        return node

    def _refuse_tag(self, tag: str | None, place: Position) -> None:
        if tag is not None:
            self._problems.add(place, (), f"the tag `{tag}` is not read; write the value plainly, or quote it")


def _read_scalar(event: yaml.ScalarEvent, place: Position) -> Node:
    text = event.value
    if event.style:  # quoted and block texts are texts, whatever they look like
        return Node(place, text)
    if text in _WORDS:
        return Node(place, _WORDS[text], written=text)
    if _INTEGER.fullmatch(text):
        return Node(place, int(text), written=text)
    if _NUMBER.fullmatch(text):
        return Node(place, float(text), written=text)
    return Node(place, text, written=text)
