"""Spell a secret in every way in which it is written: as JSON, Compose, a URL, HTML, hexadecimal or base64. Pure."""

import base64
import html
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

from orchestrator.redaction.secret_detection import SHORTEST

_ESCAPED = re.compile("%..")
_DISTINCT_MIXED = 10
_DISTINCT = 16


def spell(secret: str) -> Iterator[tuple[bytes, bool]]:
    """Return each spelling, and whether it counts only where it stands alone; none is shorter than `SHORTEST`.

    A short word could be a part of many others, so that looking for it inside them would destroy the text.
    """
    alone = is_like_a_word(secret)
    for form in _write(secret):
        if len(form) >= SHORTEST:
            yield form, alone and form in (encode(secret), secret.encode("utf-8", "surrogatepass"))


def is_like_a_word(secret: str) -> bool:
    """Tell whether it is letters, digits and underscores, and short or plain enough to be a part of a word."""
    if not all(char.isalnum() or char == "_" for char in secret):
        return False
    mixed = any(char.isdigit() for char in secret) and any(char.isalpha() for char in secret)
    return len(secret) < (_DISTINCT_MIXED if mixed else _DISTINCT)


def encode(text: str) -> bytes:
    """Return the bytes that a text was read from; text that never was bytes is written in its own way."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _write(secret: str) -> set[bytes]:
    content = encode(secret)
    written = {secret, secret.strip(), secret.replace("$", "$$"), secret.replace("'", "''"), html.escape(secret)}
    written |= {
        json.dumps(text, ensure_ascii=ascii_only)[1:-1] for text in set(written) for ascii_only in (True, False)
    }
    urls = {quote(content, safe=safe) for safe in ("", "/")} | {quote_plus(content)}
    written |= urls | {_ESCAPED.sub(lambda match: match[0].lower(), url) for url in urls}
    written |= {content.hex(), content.hex().upper()}
    return {*map(encode, written), *_write_base64(content), secret.encode("utf-8", "surrogatepass")}


# In a longer text that is encoded as a whole, a secret can begin at any of three places of a group; the characters at
# its edges depend on what stands beside it.
def _write_base64(content: bytes) -> Iterator[bytes]:
    for offset, lost in ((0, 0), (1, 2), (2, 3)):
        whole = (offset + len(content)) * 8 // 6
        for write in (base64.b64encode, base64.urlsafe_b64encode):
            yield write(b"\0" * offset + content)[lost:whole]
