"""Detect secret settings: by their name, by their form, or as the password inside an address. Pure.

A value is taken for a secret unless it looks like something common: a word, a number, a path, a host, an image, a
version, an address without a login. Under a name of a secret that does not save it. Of ``user:password`` the password
is a secret of its own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, unquote, urlsplit

#: What is shorter is in too many places to be looked for by its value.
SHORTEST = 4
#: Ports, counts and numbers of processes have up to as many digits less one.
SHORTEST_NUMBER = 5

_SPEAKING = re.compile(
    r"(?:.*passw(?:or)?d|.*passphrase|.*secret|.*token|credential|cred|webhook|salt|pepper|signature|cookie|apikey)s?"
    r"|.*pass|pwd|pw|bearer|dsn|jwt|basicauth"
)
_AT_THE_END = re.compile(r".*keys?")
_ABOUT = frozenset({"file", "path", "dir", "variable", "name", "ttl", "timeout", "expiry", "length", "enabled"})
_MEASURES = frozenset(
    {
        "max", "min", "limit", "count", "size", "number", "num", "age", "days", "hours", "minutes", "seconds",
        "lifetime", "expires", "expire", "expiration", "interval", "rounds", "iterations", "cost", "bits", "bytes",
        "port", "retries", "attempts", "per", "window", "budget",
    }
)  # fmt: skip
_LOGINS = frozenset(
    {"auth", "login", "logins", "user", "users", "account", "accounts", "userpass", "basic", "htpasswd"}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_TRIVIAL = re.compile(r"true|false|yes|no|on|off|none|null|\**|\d", re.IGNORECASE)
_NUMBER = re.compile(r"[\d.,:]+")
_USER_PASSWORD = re.compile(r"[\w.@+-]{1,64}:([^\s:/][^\s:]*)")
_LINE = 8  # of a secret of several lines, what is shorter is a line of its form

# Each segment of a word is lower-case, capitalised or capitals: what mixes them was made by a machine.
_SEGMENT = r"(?:[A-Z]?[a-z]{1,12}|[A-Z]{1,12})"
_HARMLESS = re.compile(
    rf"""
      {_SEGMENT}(?:[_/.,:\ -]{_SEGMENT}){{0,3}} | \w{{1,5}}\.UTF-?8   # a word or a few, a time zone, a locale
    | [\d.,:]{{1,7}} | \d{{1,4}}[a-zA-Z]{{1,2}}                       # numbers, sizes, durations
    | \d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:[:/]\d{{1,5}})?                 # IP addresses, networks
    | v?\d{{1,4}}(?:\.\d{{1,5}}){{1,3}}(?:-[a-z]{{1,8}}[.\d]{{0,4}})? # versions
    | (?:v?[\w.-]{{1,40}}@)?sha256:[0-9a-f]{{64}}                     # digests
    | (?:\.{{0,2}}|~)(?:/[\w.@+-]{{1,40}})+/?                         # paths
    | [a-z0-9-]{{1,30}}(?:\.[a-z0-9-]{{1,30}})*\.[a-z]{{2,12}}(?::\d{{1,5}})?       # hosts
    | [\w.-]{{1,30}}@[a-z0-9-]{{1,30}}(?:\.[a-z0-9-]{{1,30}})*\.[a-z]{{2,12}}       # mail addresses
    | [a-z0-9.-]{{1,60}}(?::\d{{1,5}})?(?:/[a-z0-9._-]{{1,40}}){{1,4}}(?::[\w.-]{{1,60}})?   # images
    """,
    re.VERBOSE | re.ASCII,
)
_LOGIN = re.compile(r"://[^\s/?#@:]{0,255}:([^\s/?#]*)@")
_PAIR = re.compile(r"(?<![\w-])([\w-]{1,128}+)[ \t]*+=[ \t]*+('[^']*'|\"[^\"]*\"|[^\s;&]+)")
_LOGIN_ENDS = re.compile(r"[\s,;]")
_OPTION = re.compile(r"--?([A-Za-z][\w-]*)")


def is_secret_name(name: str) -> bool:
    """Tell whether a variable, key or option of this name holds a secret, and not its place or its lifetime."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words or words[-1] in _ABOUT:
        return False
    return any(_SPEAKING.fullmatch(word) for word in words) or bool(_AT_THE_END.fullmatch(words[-1]))


def is_secret(name: str, value: str) -> bool:
    """Tell whether this value of this setting is shown nowhere."""
    if _TRIVIAL.fullmatch(value) or (_NUMBER.fullmatch(value) and _read_words(name) & _MEASURES):
        return False
    if is_secret_name(name) or (_read_words(name) & _LOGINS and any(_find_passwords(name, value))):
        return True
    return not (_HARMLESS.fullmatch(value) or _is_open_address(value))


def find_secrets(name: str, value: str) -> Iterator[str]:
    """Find the secrets in one setting: the value, its lines, and secrets inside it, as a password in an address."""
    if is_secret(name, value.strip()):
        yield from (value, value.strip())
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= _LINE)
        yield from _find_passwords(name, value)
    yield from find_inner(value)


# Several of them, as a proxy has its users, stand with commas or on lines.
def _find_passwords(name: str, value: str) -> Iterator[str]:
    speaks = is_secret_name(name) or bool(_read_words(name) & _LOGINS)
    for one in _LOGIN_ENDS.split(value):
        found = _USER_PASSWORD.fullmatch(one)
        if found and (speaks or not _HARMLESS.fullmatch(found[1])):
            yield found[1]


def find_inner(text: str) -> Iterator[str]:
    """Find passwords inside a text: in addresses, in their queries, in connection strings."""
    for password in _LOGIN.findall(text):
        yield from (password, unquote(password))
    for key, value in _PAIR.findall(text):
        bare = value.strip("'\"")
        if is_secret_name(key) and not _TRIVIAL.fullmatch(bare):
            yield from (bare, unquote(bare))


def find_in_environment(environment: Mapping[str, str | None]) -> Iterator[str]:
    """Find the secrets of a mapping of variables."""
    for name, value in environment.items():
        if value is not None:
            yield from find_secrets(name, value)


def find_in_document(document: object) -> Iterator[str]:
    """Find the secrets in a rendering of Compose, or in any other tree: by the names of its keys and options."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key == "environment" and isinstance(value, Mapping):
                yield from find_in_environment({str(k): v if v is None else str(v) for k, v in value.items()})
            elif isinstance(value, str):
                yield from (find_secrets if is_secret_name(str(key)) else _only_inner)(str(key), value)
            else:
                yield from find_in_document(value)
    elif isinstance(document, Sequence) and not isinstance(document, str):
        for place, value in enumerate(document):
            option = read_option(document[place - 1]) if place else ""
            if isinstance(value, str):
                yield from (find_secrets if is_secret_name(option) else _only_inner)(option, value)
            else:
                yield from find_in_document(value)


def read_option(word: object) -> str:
    """Return the name of the option whose value is the next word of a command line; empty if there is none."""
    found = _OPTION.fullmatch(word) if isinstance(word, str) else None
    return found[1] if found else ""


def _read_words(name: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(name))


def _only_inner(_name: str, value: str) -> Iterator[str]:
    return find_inner(value)


def _is_open_address(value: str) -> bool:
    if "://" not in value or any(char.isspace() for char in value):
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    # The password of a login is found by itself, so that who connects where stays readable; a bare token is not.
    login, _, _ = parts.netloc.rpartition("@")
    segments = [*parts.path.split("/"), parts.fragment, *(text for _, text in parse_qsl(parts.query))]
    return (not login or ":" in login) and all(not text or _HARMLESS.fullmatch(text) for text in segments)
