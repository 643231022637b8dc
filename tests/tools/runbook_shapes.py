"""The shape of a runbook: what its lines do, in order, whatever the names in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

Shape = tuple[str, ...]

_WORDS = (
    ("warn", re.compile(r"^# no backup on this host")),
    ("", re.compile(r"^#")),
    ("look", re.compile(r"^docker ps  #")),
    ("jobs", re.compile(r"while read -r job")),
    ("checksum", re.compile(r"sha256sum --check$")),
    ("load", re.compile(r"^gunzip ")),
    ("create", re.compile(r"DROP DATABASE IF EXISTS .* TEMPLATE template0")),
    ("swap back", re.compile(r"IF NOT .* RENAME TO ")),
    ("swap", re.compile(r" RENAME TO ")),
    ("open", re.compile(r"exec .* ALLOW_CONNECTIONS true")),
    ("image by digest", re.compile(r"^docker image inspect .* \|\| docker pull .* \|\| \{ docker tag ")),
    ("image by id", re.compile(r"^docker image inspect .* \|\| ")),
    ("tag", re.compile(r"^docker tag ")),
    ("pin", re.compile(r"^sed -i ")),
    ("server", re.compile(r" up -d --no-recreate --wait ")),
    ("start", re.compile(r" up -d --no-build .* --force-recreate ")),
    ("stop", re.compile(r"^docker compose .* stop ")),
    ("ps", re.compile(r"^docker compose .* ps$")),
    ("logs", re.compile(r"^docker compose .* logs ")),
)

_BACK = ("stop", "jobs")
_OPEN = ("server", "open")
_SWAP = ("server", "swap")
_SWAP_BACK = ("server", "swap back")
_LOAD = ("checksum", "server", "create", "load")
_OLD = ("pin", "image by id", "tag", "start", "ps")
_PINNED = ("pin", "image by digest", "start", "ps")

_DATA = {
    "no database": (),
    "nothing written": _OPEN,
    "swap": (*_SWAP, *_OPEN),
    "swap back": (*_SWAP_BACK, *_OPEN),
    "load": (*_LOAD, *_SWAP, *_OPEN),
    "no whole backup": ("warn", *_LOAD, *_SWAP, *_OPEN),
}
_IMAGE = {"tag": _OLD, "digest": _PINNED}

#: Every shape that there is → the case in `tests/engine/test_runbook.py` that brings it about and pastes it.
PROVEN: Mapping[Shape, str] = MappingProxyType(
    {
        **{
            (*_BACK, *data, *image): f"{case}, {pinned}"
            for case, data in _DATA.items()
            for pinned, image in _IMAGE.items()
        },
        (*_OPEN, "pin", "image by digest", "start", "ps", "logs"): "committed",
        ("ps",): "untouched",
        ("look",): "nothing known",
    }
)


def find_shape(steps: Sequence[str]) -> Shape:
    """What the lines do; a line that nobody knows is in it as it is."""
    found = (next((word for word, pattern in _WORDS if pattern.search(step)), step) for step in steps)
    return tuple(word for word in found if word)


def tell_unproven(steps: Sequence[str]) -> str:
    """What is to be said of a runbook of a shape that no test pastes; empty of one that is pasted."""
    shape = find_shape(steps)
    return "" if shape in PROVEN else f"no test pastes a runbook of the shape {' → '.join(shape)}"
