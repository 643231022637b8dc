"""Keep a document as a tree that knows the position of each key and value, and the problems found in it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from orchestrator.core.errors import PlanError

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "Scalar | list[Json] | dict[str, Json]"
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, order=True)
class Position:
    """Line and column in the plan's file, both from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Node:
    """A value and its position. ``written`` is the text of an unquoted scalar; ``size`` and ``height`` count nodes."""

    position: Position
    value: Scalar | tuple[Node, ...] | Mapping[str, Entry]
    written: str = ""
    size: int = 1
    height: int = 0

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Keys and values, empty where it is no mapping."""
        return self.value if isinstance(self.value, Mapping) else {}

    def to_json(self) -> Json:
        """Return the plain value."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.to_json() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.to_json() for item in self.value]
        return self.value

    def without(self, key: str) -> Node:
        """Return the same mapping without one key."""
        return Node(self.position, {name: entry for name, entry in self.entries.items() if name != key})

    def find(self, key_path: KeyPath) -> tuple[Position, Node]:
        """Return the position and node of the last step of a path; for a missing step, of what should hold it."""
        position, node = self.position, self
        for step in key_path:
            if isinstance(node.value, tuple) and isinstance(step, int) and step < len(node.value):
                node = node.value[step]
                position = node.position
            elif isinstance(step, str) and step in node.entries:
                position, node = node.entries[step].position, node.entries[step].node
            else:
                break
        return position, node


@dataclass(frozen=True)
class Entry:
    """One key of a mapping (``position`` is the key's) with its value."""

    position: Position
    node: Node


def build_node(value: Json, position: Position) -> Node:
    """Build a tree for a value that is in no file; all of it has this ``position``."""
    if isinstance(value, dict):
        return Node(position, {key: Entry(position, build_node(item, position)) for key, item in value.items()})
    if isinstance(value, list):
        return Node(position, tuple(build_node(item, position) for item in value))
    return Node(position, value, written=json.dumps(value))


@dataclass(frozen=True, order=True)
class Problem:
    """One problem: where it is, and what to write instead."""

    position: Position
    key_path: str
    text: str

    def line(self, source: Path) -> str:
        """``file:line:column: path: text``."""
        key_path = f"{self.key_path}: " if self.key_path else ""
        return f"{source}:{self.position.line}:{self.position.column}: {key_path}{self.text}"


@dataclass
class Problems:
    """All problems of one plan, collected before any is reported."""

    found: set[Problem] = field(default_factory=set)

    def add(self, position: Position, key_path: KeyPath, text: str) -> None:
        """Add one problem; the same one twice counts once."""
        self.found.add(Problem(position, ".".join(str(step) for step in key_path), text))

    def raise_if_any(self, source: Path) -> None:
        """Return if there is no problem. Raises `PlanError` with all problems in the order of the file."""
        if not self.found:
            return
        lines = tuple(problem.line(source) for problem in sorted(self.found))
        amount = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise PlanError(
            "plan.invalid",
            f"The plan {source} cannot be used: {amount}.",
            problems=lines,
            hint="Correct what is listed; `orchestrator lint` looks at the plan again without running it.",
        )


def suggest(word: str, valid: Iterable[str]) -> str:
    """Return ``; did you mean …?`` with the closest valid word, or all of them where none is close."""
    words = sorted(set(valid))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; valid here: {', '.join(f'`{valid_word}`' for valid_word in words)}" if words else ""
