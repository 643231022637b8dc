"""Find secrets that a name or a form reveals, known or not: ``password=…``, a login in an address, a private key. Pure.

Every pattern takes time in proportion to the text, whatever the text is.
"""

import re
import string
from collections.abc import Collection
from functools import lru_cache

MARK = "***"

_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)", re.DOTALL)
_LOGIN = re.compile(r"(://[^\s/?#@:\"']{0,80}:)[^\s/?#\"']*@")
_BEARER = re.compile(r"\b((?:Bearer|Basic)\s{1,8})(?=\S{0,512}\d)[\w.~+/=-]{8,}", re.IGNORECASE)
_TOKEN = re.compile(r"\b(?:gh[a-z]_|github_pat_|glpat-|xox[a-z]-|sk-|AKIA|eyJ)[\w.-]{16,}")

_NAME = re.compile(
    r"(?P<word>password|passwd|passphrase|pwd|secret|token|credentials?|api[_-]?key|private[_-]?key|access[_-]?key)"
    r"(?P<rest>[\w.-]{0,24}+)(?P<quote>\\?[\"']?)\s?(?P<sign>[=:])(?P<gap>\s?\\?)",
    re.IGNORECASE,
)
_ABOUT = re.compile(r"file|path|variable|name", re.IGNORECASE)
_SET = re.compile(r"\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"',;&]+")
_TOLD = re.compile(r"\"[^\"\n]*\"?|'[^'\n]*'?|[^\s\"'\\,]+")
_NO_WORD = re.compile(r"[\d!#$%&+@^_~]")
_IN_NAMES = f"{string.ascii_letters}{string.digits}_.-"
_NAME_AT_MOST = 64
_LONGEST_REST = 12
_LEAST = 4  # after a colon, what is shorter is a word or a number of a sentence
_SEEN = 256


def hide_given_away(text: str, names: Collection[str] = ()) -> str:
    """Hide values that a name or a form reveals; ``names`` of services and images reveal no secret."""
    for form, replacement in ((_KEY, MARK), (_LOGIN, rf"\1{MARK}@"), (_BEARER, rf"\1{MARK}"), (_TOKEN, MARK)):
        text = form.sub(replacement, text)
    return _hide_named(text, names)


def _hide_named(text: str, names: Collection[str]) -> str:
    pieces, done, at = [], 0, 0
    while (found := _NAME.search(text, at)) is not None:
        span = _find_value(text, found, names)
        at = span[1] if span else found.end()
        if span:
            pieces += [text[done : span[0]], MARK]
            done = at
    return "".join([*pieces, text[done:]])


# After an equals sign whatever stands there; after a colon only what is no word of a sentence.
def _find_value(text: str, found: re.Match[str], names: Collection[str]) -> tuple[int, int] | None:
    if not _speaks(found["rest"]):
        return None
    start, is_set = found.end(), found["sign"] == "="
    if not is_set and not _is_told(text, found, names):
        return None
    value = (_SET if is_set else _TOLD).match(text, start)
    if value is None or MARK in value[0][: len(MARK) + 1]:
        return None
    opened = not is_set and value[0][0] in "\"'"  # in JSON and YAML the quotes stay
    if opened:
        closed = value[0][-1] == value[0][0] and len(value[0]) > 1
        inner = (start + 1, value.end() - closed)
        return inner if inner[1] > inner[0] else None
    return value.span()


def _is_told(text: str, found: re.Match[str], names: Collection[str]) -> bool:
    name = _name_before(text, found)
    key = text[found.end() : found.end() + _SEEN]
    if found["quote"].endswith(('"', "'")) and key[:1] in ("'", '"'):
        return True
    if not found["gap"] and not found["quote"]:
        whole = name + found["word"] + found["rest"]
        before = found.start() - len(name)
        # ``registry/token-service:v1`` is an image, ``token:8080`` an address.
        if whole in names or (before > 0 and text[before - 1] == "/"):
            return False
    value = _TOLD.match(key)
    if value is None:
        return False
    bare = value[0].strip("\"'")
    is_setting = (name + found["word"]).isupper()
    if is_setting and bare:
        return True
    least = 1 if found["word"].lower().startswith(("pass", "pwd")) and bare.isdigit() else _LEAST
    return len(bare) >= least and _NO_WORD.search(bare) is not None


def _name_before(text: str, found: re.Match[str]) -> str:
    before = text[max(0, found.start() - _NAME_AT_MOST) : found.start()]
    return before[len(before.rstrip(_IN_NAMES)) :]


@lru_cache(4096)
def _speaks(rest: str) -> bool:
    return len(rest) <= _LONGEST_REST and _ABOUT.search(rest) is None
