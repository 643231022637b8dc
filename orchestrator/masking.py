"""Secrets taken out of everything that leaves this program: logs, journal, reports, error texts, support files.

A secret is masked wherever its *value* stands, also as JSON, Compose, a URL, HTML, hexadecimal or base64 write it, and
wherever a name or a form speaks of one (``password=…``, a login in an address, a private key), known or not.
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, quote_plus

from orchestrator.secrecy import SHORTEST, is_secret_name, read_option

MARK = "***"
_MARK = MARK.encode()
_BATCH_BYTES = 64 * 1024  # a log comes line by line, and each look goes through all that is known

_NAME = (
    r"(?:password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|private[_-]?key|access[_-]?key)"
    r"(?![\w-]*(?:file|path|variable|name))[\w-]{0,12}"
)
_PATTERNS: Sequence[tuple[str, int, str]] = (
    (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL, MARK),
    (r"(://[^\s/?#@:\"']{0,80}:)[^\s/?#\"']*@", 0, rf"\1{MARK}@"),
    (r"\b((?:Bearer|Basic)\s+)(?=\S*\d)[\w.~+/=-]{8,}", re.IGNORECASE, rf"\1{MARK}"),
    (r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|sk-|AKIA|eyJ)[\w.-]{16,}", 0, MARK),
    # After an equals sign whatever stands there; after a colon only what is no word of a sentence.
    (rf"({_NAME}[\"']?\s?=\s?)(?:\"[^\"\n]*\"|'[^'\n]*'|[^\s\"',;&]+)", re.IGNORECASE, rf"\1{MARK}"),
    (
        rf"({_NAME}\\?[\"']?\s?:\s?\\?[\"']?)(?=[^\s\"'\\]*[\d!#$%&+@^_~])[^\s\"'\\,]{{4,}}",
        re.IGNORECASE,
        rf"\1{MARK}",
    ),
)
_FORMS = tuple((re.compile(pattern, flags), replacement) for pattern, flags, replacement in _PATTERNS)


class Mask:
    """What is known to be secret, and the means to take it out. Safe to learn and to mask from several threads.

    Secrets of fewer than `SHORTEST` characters are not looked for by value; a name still gives them away.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._known: frozenset[str] = frozenset()
        self._needles: tuple[bytes, ...] = ()
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Mask these too from now on."""
        found = {secret for secret in secrets if len(secret) >= SHORTEST and secret.strip("*")}
        with self._lock:
            new = found - self._known
            if new:
                needles = {*self._needles, *(form for secret in new for form in _write_forms(secret))}
                self._known |= new
                self._needles = tuple(sorted(needles, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without secrets: neither known ones, nor what a name or a form gives away."""
        masked = self._cover(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        for form, replacement in _FORMS:
            masked = form.sub(replacement, masked)
        return masked

    def content(self, content: bytes) -> bytes:
        """A whole file as `text` does it, whatever its bytes are."""
        return self.text(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")

    def stream(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """A log as it comes, without the secrets that are known, also where one lies across two chunks."""
        longest = len(self._needles[0]) if self._needles else 1
        held = b""
        for chunk in chunks:
            held += chunk
            if len(held) < longest + _BATCH_BYTES:
                continue
            ready, held = self._split(held, len(held) - longest + 1)
            yield ready
        if held:
            yield self._cover(held)

    def document(self, document: Any) -> Any:
        """A JSON document as `text` does it, and whole values under keys and options that speak of a secret."""
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

    def _cover(self, content: bytes) -> bytes:
        # Again, as long as there is one: two that were apart may have come together to a third.
        while spans := _merge(_find(content, self._needles)):
            content = _replace(content, spans)
        return content

    def _split(self, content: bytes, upto: int) -> tuple[bytes, bytes]:
        """What begins before ``upto`` with its secrets masked, and the rest, which may begin with a part of one."""
        if upto <= 0:
            return b"", content
        spans = [span for span in _merge(_find(content, self._needles)) if span[0] < upto]
        end = max(upto, spans[-1][1] if spans else 0)
        return self._cover(_replace(content[:end], spans)), content[end:]


def _find(content: bytes, needles: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    for needle in needles:
        start = content.find(needle)
        while start >= 0:
            yield start, start + len(needle)
            start = content.find(needle, start + 1)


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


def _write_forms(secret: str) -> Iterator[bytes]:
    """All ways in which a secret is written; none of them is shorter than `SHORTEST`."""
    content = _encode(secret)
    written = {secret, secret.strip(), secret.replace("$", "$$"), secret.replace("'", "''"), html.escape(secret)}
    written |= {
        json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in set(written) for ascii_only in (True, False)
    }
    urls = {quote(content, safe=safe) for safe in ("", "/")} | {quote_plus(content)}
    written |= urls | {re.sub("%..", lambda match: match[0].lower(), url) for url in urls}
    written |= {content.hex(), content.hex().upper()}
    forms = {*map(_encode, written), *_write_base64(content), secret.encode("utf-8", "surrogatepass")}
    yield from (form for form in forms if len(form) >= SHORTEST)


# In a longer text that is encoded as a whole, a secret can begin at any of three places of a group; the characters at
# its edges depend on what stands beside it.
def _write_base64(content: bytes) -> Iterator[bytes]:
    for offset, lost in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(content)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"\0" * offset + content)[lost:whole]


def _encode(text: str) -> bytes:
    """The bytes that a text was read from; what never was bytes is written in its own way."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


#: What this process has learned. One for all, because a secret that one part of it has read must not leave by another.
PROCESS_MASK = Mask()
