"""Every pattern of the product takes time in proportion to the text, whatever the text is, up to a megabyte."""

import re
from functools import partial

import pytest

from tests.tools.patterns import (
    PACKAGES,
    Pump,
    Used,
    build_pumps,
    compiles_many,
    count_compiled,
    find_inline,
    find_patterns,
    measure,
    read_modules,
)

pytestmark = pytest.mark.slow

ROUGHLY = 16_000
WELL = 4000
SIZES = (256 * 1024, 1024 * 1024)
#: A pattern that takes more for each character in a short text is not linear; the slowest of ours takes half of it.
PER_CHARACTER_S = 2e-6
LITTLE_S = 0.25
NEVER_S = 0.05  # one that would not come to an end is left before it is given a longer text

PATTERNS = find_patterns()


def find_worst(used: Used) -> tuple[float, Pump]:
    """The seconds for each character, and the text that takes them."""
    as_bytes = isinstance(used.pattern.pattern, bytes)
    pumps, worst = build_pumps(used.pattern), (0.0, Pump("", "x", ""))
    for size in (16, 22, 28, 34, 40, 400, WELL, ROUGHLY):
        for pump in pumps:
            text = pump.write(size, as_bytes=as_bytes)
            seconds = measure(partial(used.run, text), tries=3, enough_s=size * PER_CHARACTER_S / 4)
            if seconds > (NEVER_S if size < WELL else 2 * size * PER_CHARACTER_S):
                return seconds / size, pump
            if size >= ROUGHLY:
                worst = max(worst, (seconds / size, pump), key=lambda one: one[0])
    return worst


def test_every_pattern_is_compiled_where_it_can_be_found() -> None:
    inline = {module: calls for module, tree in read_modules().items() if (calls := find_inline(tree))}
    assert not inline, "compile it at the top of the module"
    held: dict[str, int] = {}
    for used in PATTERNS:
        module = used.name.rpartition(".")[0]
        held[module] = held.get(module, 0) + 1
    compiled = {module: count for module, tree in read_modules().items() if (count := count_compiled(tree))}
    many = {module for module, tree in read_modules().items() if compiles_many(tree)}
    wrong = {
        module: (held.get(module, 0), count)
        for module, count in compiled.items()
        if not (held.get(module, 0) > count if module in many else held.get(module, 0) == count)
    }
    assert not wrong, "a pattern is neither a constant of its module, nor in a tuple that is one, nor in `MADE`"
    assert {name.partition(".")[0] for name in compiled} <= set(PACKAGES)


@pytest.mark.parametrize("used", PATTERNS, ids=lambda used: used.name)
def test_a_pattern_is_linear_whatever_it_meets(used: Used) -> None:
    per_character_s, pump = find_worst(used)
    enough_s = 3 * per_character_s
    assert per_character_s < PER_CHARACTER_S, f"{pump}: {per_character_s * 1e6:.1f} µs a character"
    as_bytes = isinstance(used.pattern.pattern, bytes)
    short, long = (
        measure(partial(used.run, text), tries=4, enough_s=len(text) * enough_s)
        for text in (pump.write(size, as_bytes=as_bytes) for size in SIZES)
    )
    assert long < SIZES[1] * PER_CHARACTER_S, f"{pump}: {long:.2f} s for a megabyte"
    # Four times the text: four times the time, where a square would be sixteen times; caches weigh where it is little.
    assert long < max(10 * short, LITTLE_S), f"{pump}: {short:.3f} s, then {long:.3f} s"


@pytest.mark.parametrize(
    "pattern",
    [
        r"(\w+)=\"([^\"]*)\"",
        r"[a-z][a-z0-9+.-]*://[^\s/?#@]*:([^\s/?#]*)@",
        r"([A-Za-z][\w-]*)\s*=\s*('[^']*'|[^\s;&]+)",
        r"^[ \t]*([\w.-]+)[ \t]*[:=][ \t]*(\S.*?)[ \t]*$",
        r"=[ \t]*(?P<bare>(?:(?![ \t]+\#)[^\r\n])*)",
        r"^([A-Za-z]+)0*(\d+)$",
        r"secret(?![\w-]*(?:file|path))[\w-]{0,12}\s?=",
        r"^(a+)+$",
        r"^(a|aa)+$",
        r"https?://[^\s/]+\S*$",
    ],
)
def test_the_measure_finds_a_pattern_that_is_not_linear(pattern: str) -> None:
    used = Used("bad", re.compile(pattern), frozenset({"finditer"}))
    assert find_worst(used)[0] > PER_CHARACTER_S
