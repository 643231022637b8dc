"""Outside witnesses draw the right conclusions from their samples."""

import pytest

from deploy.demo.oracle import Acknowledged, Sample, Span, changes, find_spans, missing, unreachable_s

SEEN = [
    Sample(0.0, up=True),
    Sample(1.0, up=True),
    Sample(2.0, up=False),
    Sample(3.0, up=False),
    Sample(5.0, up=True),
]


def test_a_span_lasts_until_the_first_look_that_differs() -> None:
    assert find_spans(SEEN, until=6.0) == [Span(True, 0.0, 2.0), Span(False, 2.0, 5.0), Span(True, 5.0, 6.0)]


def test_no_look_gives_no_span() -> None:
    assert find_spans([], until=6.0) == []


def test_last_sample_holds_until_the_end() -> None:
    assert find_spans([Sample(1.0, up=False)], until=4.0) == [Span(False, 1.0, 4.0)]


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0.0, 6.0, 3.0), (0.0, 2.0, 0.0), (3.0, 4.0, 1.0), (4.5, 9.0, 0.5)]
)
def test_only_what_lies_between_the_marks_counts(start: float, end: float, expected: float) -> None:
    assert unreachable_s(find_spans(SEEN, until=6.0), start, end) == pytest.approx(expected)


def test_versions_are_told_in_the_order_in_which_they_came() -> None:
    assert changes(["1.0.0", "1.0.0", "1.1.0", "1.0.0"]) == ["1.0.0", "1.1.0", "1.0.0"]


def test_an_entry_is_missing_when_it_is_gone_or_another_has_its_place() -> None:
    kept, gone, replaced = (Acknowledged(number, f"hash{number}", "", 0.0) for number in (1, 2, 3))
    assert missing([kept, gone, replaced], {1: "hash1", 3: "other", 4: "hash4"}) == [gone, replaced]
