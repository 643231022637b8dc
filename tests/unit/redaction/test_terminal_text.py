"""Foreign text before it reaches a terminal."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.redaction.terminal_text import CUT_MARK, sanitize


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;ZXZpbA==\x1b\\after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x9b2Jafter", "after"),
        ("\x1bP1;2|payload\x1b\\after", "after"),
        ("before\x1b]0;never ended", "before"),
        ("before\x1b[12;", "before"),
        ("before\x1b", "before"),
        ("\x1bcafter", "after"),
        ("\x1b(0after", "after"),
        ("bell\x07 back\x08 nul\x00 del\x7f", "bell back nul del"),
        ("old\rnew\r\nline", "old\nnew\nline"),
        ("\u202eevil\u202c \u2066x\u2069 \u200e\u200f\u061c", "evil x "),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("e\u0301", "\u00e9"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("Ünïcödé ✓ 日本", "Ünïcödé ✓ 日本"),
    ],
)
def test_control_sequence_is_dropped(text: str, inert: str) -> None:
    assert sanitize(text) == inert


def test_a_long_line_is_cut_with_a_mark() -> None:
    assert sanitize("x" * 11, max_width=10) == "x" * 10 + CUT_MARK


def test_too_many_lines_are_cut_with_a_mark() -> None:
    assert sanitize("1\n2\n3", max_lines=2) == f"1\n2\n{CUT_MARK}"


def test_text_at_the_limits_is_left_alone() -> None:
    assert sanitize("12\n34", max_lines=2, max_width=2) == "12\n34"


_NASTY = st.sampled_from(["\x1b", "\x1b[", "\x1b]", "\x9b", "\x9d", "\x07", "\x9c", "\\", "\r", "\n", "m", "\u202e"])


@settings(deadline=None)
@given(st.lists(_NASTY | st.text(max_size=5), max_size=30).map("".join))
def test_only_harmless_characters_are_ever_left(text: str) -> None:
    for char in sanitize(text):
        assert char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}


@settings(deadline=None)
@given(st.text())
def test_making_inert_twice_changes_nothing_more(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once) == once
