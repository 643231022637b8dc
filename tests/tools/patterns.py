"""Every regular expression of the product, how it is used, and inputs that are hard for it."""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from re import _constants as words  # type: ignore[attr-defined] # what a pattern is made of
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, TypeAlias

ROOT = Path(__file__).parents[2]
PACKAGES = ("orchestrator", "states", "webapi")

AnyPattern: TypeAlias = "re.Pattern[str] | re.Pattern[bytes]"

#: Patterns that are made at run time, of names that are escaped: module → one as it is made there.
MADE: Mapping[str, AnyPattern] = {
    "orchestrator.adapters.docker.settings": re.compile(r"(?:[0-9a-f]{12}_)?project[-_]service[-_]\d+"),
    "orchestrator.adapters.compose.neighbours": re.compile(
        r"(?:(?:^|@|//|\bhost=)(?:db|other):\d+|(?:@|//|\bhost=)(?:db|other)(?:[/?\s'\"]|$))"
    ),
    "orchestrator.adapters.compose.trial_dependencies": re.compile(
        r"(?:(?<![\w.\-/])|(?<=//))cache(?![\w-]|\.\w)", re.IGNORECASE
    ),
}
#: How those in a tuple are used, where a loop gives them another name.
IN_LOOPS = {"orchestrator.adapters.postgres.dump_routes._STARTS": frozenset({"match"})}

_SEARCHES = ("search", "finditer", "findall", "sub", "subn", "split")
_NO_CALLS = frozenset({"compile", "escape"})


@dataclass(frozen=True)
class Used:
    """A pattern and whether it is looked for anywhere in a text, or matched at its beginning or as a whole only."""

    name: str
    pattern: AnyPattern
    ways: frozenset[str]

    def run(self, text: str | bytes) -> None:
        """Use it as the product does, to the end of the text."""
        if "finditer" in self.ways:
            for _ in self.pattern.finditer(text):  # type: ignore[arg-type]
                pass
        for way in self.ways - {"finditer"}:
            getattr(self.pattern, way)(text)


@lru_cache
def read_modules() -> Mapping[str, ast.Module]:
    """Name → syntax tree of every module of the product."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {_name(path): ast.parse(path.read_text()) for path in paths}


def find_patterns() -> tuple[Used, ...]:
    """All patterns that modules hold."""
    ways = {**_find_ways(), **IN_LOOPS}
    return tuple(
        Used(f"{module}.{name}", pattern, ways.get(f"{module}.{name}", frozenset({"finditer", "match", "fullmatch"})))
        for module in read_modules()
        for name, pattern in _held_by(module)
    ) + tuple(Used(f"{module}.made", pattern, frozenset({"fullmatch", "match"})) for module, pattern in MADE.items())


def count_compiled(tree: ast.Module) -> int:
    """How many patterns a module compiles; of a comprehension, which compiles any number, it is one."""
    return sum(1 for call in _calls(tree) if call == "compile")


def compiles_many(tree: ast.Module) -> bool:
    """Whether a comprehension compiles patterns."""
    loops = (ast.GeneratorExp, ast.ListComp, ast.DictComp, ast.SetComp)
    return any("compile" in _calls(node) for node in ast.walk(tree) if isinstance(node, loops))


def find_inline(tree: ast.Module) -> list[str]:
    """Calls of `re` that bring a pattern along at each use, where nobody can find it."""
    return [call for call in _calls(tree) if call not in _NO_CALLS]


def _calls(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "re":
                yield node.func.attr


def _held_by(module: str) -> Iterator[tuple[str, AnyPattern]]:
    tree = read_modules()[module]
    if not count_compiled(tree):
        return
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for name, value in vars(importlib.import_module(module)).items():
        if name in names:
            yield from ((name, pattern) for pattern in _inside(value))


def _inside(value: object) -> Iterator[AnyPattern]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(owner := getattr(value, "__self__", None), re.Pattern):
        yield owner
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _inside(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _inside(one)


def _find_ways() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for module, tree in read_modules().items():
        sources = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                way = "finditer" if node.attr in _SEARCHES else node.attr
                if way in {"finditer", "match", "fullmatch"}:
                    name = node.value.id
                    found.setdefault(sources.get(name, f"{module}.{name}"), set()).add(way)
    return {name: frozenset(ways) for name, ways in found.items()}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# --- inputs


@dataclass(frozen=True)
class Pump:
    """A text that is hard for a pattern: an opening, one piece as often as there is room, and a near miss."""

    opening: str
    piece: str
    ending: str

    def write(self, size: int, *, as_bytes: bool) -> str | bytes:
        """As long as wanted."""
        text = self.opening + self.piece * (size // len(self.piece)) + self.ending
        return text.encode("latin-1", "replace") if as_bytes else text


def build_pumps(pattern: AnyPattern) -> tuple[Pump, ...]:
    """Each repetition of the pattern behind what leads to it, and each of its characters and words alone."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    tree = parser.parse(text, pattern.flags & ~re.UNICODE)
    repeats = list(_repeats(tree, ""))
    pumps = [
        Pump(opening, piece, ending) for opening, pieces in repeats for piece in pieces for ending in ("\0", "\nx", "x")
    ]
    words_of = dict.fromkeys([*_characters(tree), *_runs(tree), *(opening for opening, _ in repeats)])
    pumps += [Pump("", word, ending) for word in words_of if word for ending in ("", "\0")]
    return tuple(dict.fromkeys(pumps))


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, list[str]]]:
    """What leads to each repetition, and pieces that it can take."""
    for code, value in tree:
        if code in _REPEATS and value[1] > 1:
            pieces = [piece for piece in (*[*dict.fromkeys(_characters(value[2]))][:8], _sample(value[2])) if piece]
            yield before, pieces
            yield before + _sample(value[2]), pieces
        for inner in _children(code, value):
            yield from _repeats(inner, before)
        before = (before + _sample([(code, value)]))[-200:]


def _characters(tree: Any) -> Iterator[str]:
    for code, value in tree:
        if code in (words.LITERAL, words.NOT_LITERAL):
            yield chr(value)
        elif code is words.ANY:
            yield from ("x", " ")
        elif code is words.IN:
            yield from _members(value)
        for inner in _children(code, value):
            yield from _characters(inner)


def _members(members: Any) -> Iterator[str]:
    if members[0][0] is words.NEGATE:
        excluded = {chr(value) for code, value in members if code is words.LITERAL}
        yield from (char for char in "x7 .\"'=:-" if char not in excluded)
        return
    for code, value in members:
        if code is words.LITERAL:
            yield chr(value)
        elif code is words.RANGE:
            yield chr(value[0])
        elif code is words.CATEGORY:
            yield _OF_CATEGORY[value]


_OF_CATEGORY = {
    words.CATEGORY_DIGIT: "7", words.CATEGORY_WORD: "a", words.CATEGORY_SPACE: " ",
    words.CATEGORY_NOT_SPACE: "x", words.CATEGORY_NOT_WORD: "-", words.CATEGORY_NOT_DIGIT: "x",
}  # fmt: skip


def _runs(tree: Any) -> Iterator[str]:
    """The literal words in a pattern, and what one pass through it would match."""
    run = ""
    for code, value in tree:
        if code is words.LITERAL:
            run += chr(value)
            continue
        if len(run) > 1:
            yield run
        run = ""
        for inner in _children(code, value):
            yield from _runs(inner)
    if len(run) > 1:
        yield run
    yield _sample(tree)


def _sample(tree: Any) -> str:
    text = ""
    for code, value in tree:
        if code is words.LITERAL:
            text += chr(value)
        elif code in (words.NOT_LITERAL, words.ANY):
            text += "x"
        elif code is words.IN:
            text += next(_members(value), "")
        elif code not in (words.ASSERT, words.ASSERT_NOT, words.AT, words.GROUPREF):
            inner = next(iter(_children(code, value)), None)
            text += _sample(inner) * max(1, _least(code, value)) if inner is not None else ""
    return text[:200]


def _least(code: Any, value: Any) -> int:
    return int(value[0]) if code in _REPEATS else 1


_REPEATS = (words.MAX_REPEAT, words.MIN_REPEAT, words.POSSESSIVE_REPEAT)


def _children(code: Any, value: Any) -> list[Any]:
    if code in _REPEATS:
        return [value[2]]
    if code is words.SUBPATTERN:
        return [value[3]]
    if code is words.BRANCH:
        return list(value[1])
    if code in (words.ASSERT, words.ASSERT_NOT):
        return [value[1]]
    if code is words.ATOMIC_GROUP:
        return [value]
    return []


# --- time


def measure(call: Callable[[], object], tries: int = 3, enough_s: float = 0.0) -> float:
    """Seconds of processor time of the best of some tries; the first that is quick enough ends it."""
    best = float("inf")
    for _ in range(tries):
        began = time.thread_time()
        call()
        best = min(best, time.thread_time() - began)
        if best <= enough_s:
            break
    return best
