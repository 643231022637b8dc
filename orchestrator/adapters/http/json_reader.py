"""Read JSON from outside: bounded in values and depth, and without half characters.

A document that cannot be read is a `DocumentError`. Valid JSON of another shape than expected is for the model that
reads it.
"""

import json
from typing import NoReturn

_VALUES = 200_000
_DEPTH = 64
_STARTS = (b"{", b"[", b",")
_WIDE = (b"\xff\xfe", b"\xfe\xff", b"\0")


class DocumentError(Exception):
    """A document that cannot be read; the text gives the reason, as the end of a sentence."""


def read_json(content: bytes, *, values: int = _VALUES, depth: int = _DEPTH) -> object:
    """Parse the document in ``content``; of two equal keys the last one counts.

    Raises:
        DocumentError: it is not JSON (among it special numbers and numbers of thousands of digits), or has
            too many values or levels.
    """
    if sum(map(content.count, _STARTS)) > values:
        raise DocumentError(f"has more than {values} values")
    try:
        # UTF-16 and UTF-32 would be guessed, and no such server sends them.
        if any(mark in content[:4] for mark in _WIDE):
            _refuse()
        text = content.decode("utf-8-sig")
        document: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as cause:
        raise DocumentError("is not JSON") from cause
    if _is_deeper(document, depth):
        raise DocumentError(f"is nested deeper than {depth} levels")
    return clean(document) if "\\u" in text else document


def clean(document: object) -> object:
    """Return the document without half characters: JSON can spell them, and nothing else can be written with them."""
    if isinstance(document, str):
        return clean_text(document)
    if isinstance(document, list):
        return [clean(one) for one in document]
    if isinstance(document, dict):
        return {clean(key): clean(value) for key, value in document.items()}
    return document


def clean_text(text: str) -> str:
    """Return the text with a question mark for each half of a character."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _refuse(_constant: str = "") -> NoReturn:
    raise ValueError("no JSON")


def _is_deeper(content: object, depth: int) -> bool:
    level = [content]
    for _ in range(depth):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
