"""Remove secrets from everything that leaves this program: logs, journal, reports, error texts, support files.

A secret is masked wherever its *value* stands (`spellings`), and wherever a name or a form reveals one
(`given_away`), known or not. Names of services, images, databases and files are never masked: a secret that equals
one of them cannot be kept by masking.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.redaction.encodings import encode, spell
from orchestrator.redaction.secret_detection import SHORTEST, SHORTEST_NUMBER, is_secret_name, read_option
from orchestrator.redaction.secret_patterns import MARK, hide_given_away

_MARK = MARK.encode()
_BATCH_BYTES = 64 * 1024  # a log comes line by line, and each look goes through all that is known
_CONTEXT_BYTES = 16
_PASSES = 16

# What ends in a letter or a digit, and is no part of the word behind it: escapes of JSON and URLs, colours.
_ESCAPE = re.compile(
    rb"(?:\\[abfnrtv0]|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}|(?:\x1b|\\u001b|\\x1b)\[[0-9;]{0,9}[A-Za-z])\Z"
)
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
_DIGITS = frozenset(b"0123456789")
_ASCII = 0x80

Needle = tuple[bytes, bool]


class Redactor:
    """The known secrets, and the means to remove them. Safe to learn and to mask from several threads.

    Secrets of fewer than `SHORTEST` characters, and numbers of fewer than `SHORTEST_NUMBER` digits, are not looked for
    by value; a name still reveals them.
    """

    def __init__(self, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._owners: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._needles: tuple[Needle, ...] = ()
        self._shields: tuple[Needle, ...] = ()
        self.register(secrets)
        self.protect(dict.fromkeys(names, "name"))

    def register(self, secrets: Iterable[str], owner: str = "") -> None:
        """Mask these too from now on; ``owner`` is the service that they belong to."""
        found = {secret for secret in secrets if _is_sought(secret)}
        with self._lock:
            if owner:
                self._owners |= dict.fromkeys(found, owner)
            if found - self._known:
                self._known |= found
                self._prepare()

    def protect(self, names: Mapping[str, str]) -> None:
        """Never mask these names, each with its type: ``service``, ``image``, ``database``, ``role``, ``file`` …"""
        found = {name: what for name, what in names.items() if len(name) >= SHORTEST}
        with self._lock:
            if found.keys() - self._names.keys():
                self._names = {**found, **self._names}
                self._prepare()

    def find_open_secrets(self) -> dict[str, tuple[str, str]]:
        """Find secrets that are names too, and so cannot be masked: name → owner of the secret, type of the name."""
        with self._lock:
            found = sorted(self._known & self._names.keys())
            return {name: (self._owners.get(name, ""), self._names[name]) for name in found}

    def _prepare(self) -> None:
        needles = {form for secret in self._known - self._names.keys() for form in spell(secret)}
        self._needles = tuple(sorted(needles, key=lambda one: len(one[0]), reverse=True))
        self._shields = tuple(
            (name, True)
            for name in map(encode, sorted(self._names))
            if any(needle in name and needle != name for needle, _ in self._needles)
        )

    def text(self, text: str) -> str:
        """Return the text without known secrets and without values that a name or a form reveals."""
        covered = self._cover(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        return hide_given_away(covered, self._names)

    def content(self, content: bytes) -> bytes:
        """Redact a whole file as `text` does, whatever its bytes are."""
        return self.text(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Redact a log as it comes, as `content` does, also where a secret lies across two chunks or two lines."""
        before, held = b"", b""
        for chunk in chunks:
            held += chunk
            longest = len(self._needles[0][0]) if self._needles else 1
            if len(held) < longest + _BATCH_BYTES:
                continue
            upto = len(held) - longest - _CONTEXT_BYTES
            ready, rest = self._split(before, held, held.rfind(b"\n", 0, max(0, upto)) + 1 or upto)
            before = (before + held[: len(held) - len(rest)])[-_CONTEXT_BYTES:]
            held = rest
            yield self._hide(ready)
        if held:
            yield self._hide(self._split(before, held, len(held))[0])

    def document(self, document: Any) -> Any:
        """Redact a JSON document as `text` does, and whole values under keys and options that name a secret."""
        if isinstance(document, str):
            return self.text(document)
        if isinstance(document, Mapping):
            return {self.text(str(key)): self._entry(str(key), value) for key, value in document.items()}
        if isinstance(document, Sequence):
            before = ["", *(read_option(word) for word in document)]
            return [self._entry(option, value) for option, value in zip(before, document, strict=False)]
        return document

    def _entry(self, name: str, value: Any) -> Any:
        return MARK if isinstance(value, str) and value and is_secret_name(name) else self.document(value)

    def _hide(self, content: bytes) -> bytes:
        text = content.decode("utf-8", "surrogateescape")
        return hide_given_away(text, self._names).encode("utf-8", "surrogateescape")

    # Again, as long as there is one: two that were apart may have come together to a third.
    def _cover(self, content: bytes) -> bytes:
        for _ in range(_PASSES):
            spans = self._find(content)
            if not spans:
                break
            content = _replace(content, spans)
        return content

    def _split(self, before: bytes, content: bytes, upto: int) -> tuple[bytes, bytes]:
        """Return the part before ``upto``, redacted, and the rest, which may begin with a part of a secret."""
        if upto <= 0:
            return b"", content
        known = len(before)
        found = self._find(before + content)
        spans = [(max(0, start - known), end - known) for start, end in found if end > known and start - known < upto]
        end = max(upto, spans[-1][1] if spans else 0)
        return self._cover(_replace(content[:end], spans)), content[end:]

    def _find(self, content: bytes) -> list[tuple[int, int]]:
        found = list(_find(content, self._needles))
        if found and self._shields:
            shields = _merge(_find(content, self._shields))
            found = [span for span in found if not any(start <= span[0] and span[1] <= end for start, end in shields)]
        return _merge(found)


def _is_sought(secret: str) -> bool:
    return len(secret) >= (SHORTEST_NUMBER if secret.isdecimal() else SHORTEST) and bool(secret.strip("*"))


def _find(content: bytes, needles: Sequence[Needle]) -> Iterator[tuple[int, int]]:
    for needle, alone in needles:
        start = content.find(needle)
        while start >= 0:
            end = start + len(needle)
            if not alone or _stands_alone(content, start, end):
                yield start, end
            start = content.find(needle, start + 1)


def _stands_alone(content: bytes, start: int, end: int) -> bool:
    """Tell whether no letter, digit or underscore is beside it; a number is no part of a fraction either."""
    if content[end - 1] in _DIGITS and _is_fraction(content, end, 1):
        return False
    if content[start] in _DIGITS and _is_fraction(content, start - 1, -1):
        return False
    return not _is_word_at(content, end) and not (
        _is_word_before(content, start) and not _ESCAPE.search(content, max(0, start - _CONTEXT_BYTES), start)
    )


def _is_fraction(content: bytes, point: int, step: int) -> bool:
    digit = point + step
    return (
        0 <= point < len(content)
        and 0 <= digit < len(content)
        and content[point] == ord(".")
        and content[digit] in (_DIGITS)
    )


def _is_word_at(content: bytes, place: int) -> bool:
    if place >= len(content) or content[place] < _ASCII:
        return place < len(content) and content[place] in _WORD
    return content[place : place + 4].decode("utf-8", "ignore")[:1].isalnum()


def _is_word_before(content: bytes, place: int) -> bool:
    if place <= 0 or content[place - 1] < _ASCII:
        return place > 0 and content[place - 1] in _WORD
    return content[max(0, place - 4) : place].decode("utf-8", "ignore")[-1:].isalnum()


def _merge(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _replace(content: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    pieces, begin = [], 0
    for start, end in spans:
        pieces += [content[begin:start], _MARK]
        begin = end
    return b"".join([*pieces, content[begin:]])


#: What this process has learned. One for all, because a secret that one part of it has read must not leave by another.
PROCESS_MASK = Redactor()
