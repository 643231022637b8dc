"""A document as a tree that knows where each key and value was written, and what is wrong with it."""

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
    """A value and its place. ``written`` is the text of an unquoted scalar; ``size`` and ``height`` count nodes."""

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
        """The plain value."""
        if isinstance(self.value, Mapping):
            return {key: entry.node.to_json() for key, entry in self.value.items()}
        if isinstance(self.value, tuple):
            return [item.to_json() for item in self.value]
        return self.value

    def without(self, key: str) -> Node:
        """The same mapping, one key left out."""
        return Node(self.position, {name: entry for name, entry in self.entries.items() if name != key})

    def find(self, trail: KeyPath) -> tuple[Position, Node]:
        """Where the last step of a trail is written and what is there; for a missing step, what should hold it."""
        position, node = self.position, self
        for step in trail:
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


def plant(value: Json, position: Position) -> Node:
    """A tree for a value that nobody wrote; all of it stands at ``position``."""
    if isinstance(value, dict):
        return Node(position, {key: Entry(position, plant(item, position)) for key, item in value.items()})
    if isinstance(value, list):
        return Node(position, tuple(plant(item, position) for item in value))
    return Node(position, value, written=json.dumps(value))


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong, where, and what to write instead."""

    position: Position
    trail: str
    text: str

    def line(self, source: Path) -> str:
        """``file:line:column: trail: text``."""
        trail = f"{self.trail}: " if self.trail else ""
        return f"{source}:{self.position.line}:{self.position.column}: {trail}{self.text}"


@dataclass
class Problems:
    """Everything that is wrong with one plan, collected before anybody is told."""

    found: set[Problem] = field(default_factory=set)

    def add(self, position: Position, trail: KeyPath, text: str) -> None:
        """Note one problem; the same one twice is one."""
        self.found.add(Problem(position, ".".join(str(step) for step in trail), text))

    def raise_if_any(self, source: Path, *, code: str = "plan.invalid") -> None:
        """Return if nothing is wrong.

        Raises:
            PlanError: with all problems in the order of the file.
        """
        if not self.found:
            return
        lines = tuple(problem.line(source) for problem in sorted(self.found))
        amount = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
        raise PlanError(
            code,
            f"The plan {source} cannot be used: {amount}.",
            problems=lines,
            hint="Correct what is listed; `orchestrator lint` looks at the plan again without running it.",
        )


def suggest(word: str, valid: Iterable[str]) -> str:
    """`` ; did you mean …?`` with the closest valid word, or all of them where none is close."""
    words = sorted(set(valid))
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; valid here: {', '.join(f'`{valid_word}`' for valid_word in words)}" if words else ""
