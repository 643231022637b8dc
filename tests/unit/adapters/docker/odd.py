"""Documents that are almost right: one or more parts of a valid one replaced by what nobody expects there."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, math.inf, "", "x", "\ud800", "a\udcffb", "\x00\x1b[2J", "9" * 40, [], {},
    [None], [[]], {"": None}, {"a": {"b": []}}, ["\ud83d"], "x" * 5000, "0001-01-01T00:00:00+23:59", [None, {}, "v1"],
)  # fmt: skip

#: Bytes in place of a document.
BODIES = (
    b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf[]", b"null", b"[]", b"{}", b"0", b'"x"', b"<html>no</html>",
    b"\xff\xfe[\x00]\x00", b"\x80", b"NaN", b"[NaN]", b"[Infinity]", b'{"a":1,"a":[]}', b"[" * 100_000,
    b'{"a":' * 5000, b"1" * 5000, b"[1e999]",
    b'["\\ud800"]', b'{"tags":null}', b'{"tags":[null,1,"\\ud800",["v1"]]}', b'{"releases":{}}', b'{"releases":[null]}',
    b"[]trailing", b"\x00", b"[" + b"1," * 300_000 + b"1]",
)  # fmt: skip


def vary(document: object) -> st.SearchStrategy[Any]:
    """The document with up to three of its parts replaced or left out."""
    places = list(_places(document, ()))
    change = st.tuples(st.sampled_from(places), st.sampled_from(ODD) | st.just(_GONE))
    return st.lists(change, min_size=1, max_size=3).map(lambda changes: _apply(document, changes))


def write(document: object) -> bytes:
    """As a server writes it: with escapes for what no text can hold."""
    return json.dumps(document).encode("ascii")


_GONE = object()


def _places(value: object, trail: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield trail
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from _places(inner, (*trail, key))


def _apply(document: object, changes: list[tuple[tuple[Any, ...], Any]]) -> Any:
    root = [copy.deepcopy(document)]
    for trail, odd in changes:
        holder: Any = root
        steps = (0, *trail)
        try:
            for step in steps[:-1]:
                holder = holder[step]
            if odd is _GONE:
                del holder[steps[-1]]
            else:
                holder[steps[-1]] = copy.deepcopy(odd)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return root[0] if root else None
