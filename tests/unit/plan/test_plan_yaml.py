"""Accepted and refused features of YAML."""

import time

import pytest

from orchestrator.plan.load import read_tree
from orchestrator.plan.tree import Json, Problems
from tests.unit.plan.kinds import HEAD, SOURCE, STATES, parse, problems_of


def read(text: str) -> Json:
    problems = Problems()
    tree = read_tree(text, SOURCE, problems)
    problems.raise_if_any(SOURCE)
    return tree.to_json()


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "y", "12:30:00", "2024-01-02", "0o17", "0x1F", "1_000", ".inf"]
)
def test_value_that_yaml_1_1_would_change_stays_a_text(word: str) -> None:
    assert read(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("written", "value"),
    [("true", True), ("False", False), ("7", 7), ("010", 10), ("1.5", 1.5), ("~", None), ("null", None), ('"7"', "7")],
)
def test_only_the_core_words_have_a_type(written: str, value: Json) -> None:
    assert read(f"a: {written}") == {"a": value}


def test_the_key_on_is_a_text() -> None:
    assert read("on: host") == {"on": "host"}


def test_a_duplicate_key_names_both_lines() -> None:
    text = (HEAD + STATES).replace("name: shop", "name: shop\nname: shop2")
    assert problems_of(text) == ["3:1: duplicate key `name`, first at line 2, again at line 3 (G14)"]


def test_a_duplicate_state_is_a_duplicate_key() -> None:
    assert "duplicate key `good`" in problems_of(HEAD + STATES + "  good: {end: refused}\n")[0]


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("1: x", 'a key must be a text; quote it: "1"'),
        ("true: x", 'a key must be a text; quote it: "true"'),
        ("[a]: x", "a key must be a text"),
        ("<<: {a: b}", "merge keys (`<<`) are not read"),
        ("x: !!python/object:os.system {}", "the tag `tag:yaml.org,2002:python/object:os.system` is not read"),
        ("x: !mine 5", "the tag `!mine` is not read"),
        ("x: !!str 5", "the tag `tag:yaml.org,2002:str` is not read"),
    ],
)
def test_surprising_yaml_is_refused(extra: str, problem: str) -> None:
    assert any(problem in line for line in problems_of(f"{HEAD}{STATES}{extra}\n"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [1, 2", "2:1: while parsing a flow sequence: did not find"),
        ("a: b: c", "1:5: "),
        ("", "1:1: the file is empty"),
        ("# only a comment", "1:1: the file is empty"),
        ("a: 1\n---\nb: 2", "2:1: a second document begins here"),
        ("a: *b", "1:4: the alias `*b` has no anchor before it"),
        ("a: &a [*a]", "1:8: the alias `*a` stands inside its own anchor"),
        ("a: \x01", "1:1: it has a character that YAML does not allow"),
        ("[" * 40 + "]" * 40, "nested deeper than 32 levels"),
        ("[" * 100_000, ""),
        ("- 1\n" * 50_001, "more than 50000 values"),
        ("- &a 1\n" + "- *a\n" * 101, "more than 100 aliases"),
    ],
)
def test_unbounded_yaml_is_reported_with_its_position(text: str, problem: str) -> None:
    (line,) = problems_of(text, code="plan.not_yaml")
    assert problem in line


def test_a_billion_laughs_end_early() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    began = time.monotonic()
    (line,) = problems_of("\n".join(lines), code="plan.not_yaml")
    assert "more than 50000 values" in line
    assert time.monotonic() - began < 2


def test_an_alias_can_share_a_value() -> None:
    text = (HEAD + STATES).replace("services: [app]", "services: &s [app]").replace("service: db", "service: &d db")
    text = text.replace("image: example.org/shop", "image: example.org/shop, migrate: *s")
    assert parse(text).target.migrate == ("app",)


def test_a_chain_of_two_thousand_states_is_read_in_seconds() -> None:
    states = "".join(f"  s{n}: {{kind: wait, then: {{done: s{n + 1}, timeout: good}}}}\n" for n in range(2000))
    text = f"{HEAD}initial: s0\nstates:\n{states}  s2000: {{end: refused}}\n  good: {{end: committed}}\n"
    began = time.monotonic()
    assert len(parse(text).states) == 2000
    assert time.monotonic() - began < 5
