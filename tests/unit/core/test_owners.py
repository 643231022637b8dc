"""Every error has an owner, and only one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from orchestrator.core.owners import _CODES, ADVICE, OWNERS, Owner, find_owner

CHECKOUT = Path(__file__).parents[3]
CODE = re.compile(r"[a-z]+\.[a-z_]+")
NOT_RAISED = frozenset({"warn", "info"})  # what they are given is the name of a line in the log
FILES = frozenset({"yaml", "yml", "json", "io", "sock", "txt", "jsonl", "html", "py", "log"})


def find_codes() -> Iterator[tuple[str, str]]:
    """Each string of the product that has the shape and the family of a code, and where it stands."""
    families = {code.partition(".")[0] for code in OWNERS}
    for folder in ("orchestrator", "states", "webapi"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            if path.name == "owners.py":
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            told = {id(argument) for call in ast.walk(tree) if is_log(call) for argument in ast.walk(call)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                    family, _, word = node.value.partition(".")
                    if CODE.fullmatch(node.value) and family in families and word not in FILES:
                        yield node.value, f"{path.relative_to(CHECKOUT)}:{node.lineno}"
            yield from find_raised(tree, path)


def find_raised(tree: ast.AST, path: Path) -> Iterator[tuple[str, str]]:
    """Codes of a family that the table does not know at all."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id.endswith("Error"):
            first = call.args[0] if call.args else None
            if isinstance(first, ast.Constant) and CODE.fullmatch(str(first.value)):
                yield str(first.value), f"{path.relative_to(CHECKOUT)}:{call.lineno}"


def is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOT_RAISED


def test_every_error_code_of_the_product_has_an_owner() -> None:
    missing = {f"{where}: {code}" for code, where in find_codes() if find_owner(code) is None}
    assert not missing, "\n".join(sorted(missing))


def test_every_code_has_one_owner_and_every_owner_an_advice() -> None:
    listed = [code for codes in _CODES.values() for code in codes.split()]
    assert len(listed) == len(set(listed)) == len(OWNERS)
    assert set(ADVICE) == set(_CODES) == set(Owner)


def test_a_code_of_a_newer_version_has_no_owner() -> None:
    assert find_owner("moon.phase") is None
