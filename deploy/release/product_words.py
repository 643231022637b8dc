"""Find words of a product where none belongs: `make check` runs it, and it fails where it finds one.

    python -m deploy.release.product_words

All but adapters, wiring and what reads the operator's own files knows roles, not products: the name of a server, of its
programs, of its files and of its language stands in the folder of its adapter. Identifiers, strings, comments and
docstrings all count.
What cannot be otherwise is in `EXEMPTIONS`, each with its reason; one that nothing needs any more is a finding, too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "states",
    *(
        f"orchestrator/{folder}"
        for folder in ("checker", "core", "doctor", "graphs", "live", "machine", "releases", "reports", "run")
    ),
)

WORDS = re.compile(
    r"postgres|psql|(?<![a-z])pg_?[a-z]|docker|compose|swarm|mariadb|mysql|(?<![a-z])sql(?![a-z])"
    r"|(?-i:\b(?:SELECT|ALTER|CREATE|DROP|COMMIT|ROLLBACK) (?:FROM|DATABASE|TABLE|ROLE|PREPARED)\b)"
    r"|(?<!\w)\.env\b|template[01]\b|max_connections|server_version_num",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True)
class Exemption:
    """``text`` may stand in the files ``path`` (a pattern of `Path.match`)."""

    path: str
    text: re.Pattern[str]
    reason: str


_CODE = re.compile(r"\b(?:compose\.\w+|engine\.no_compose|usage\.(?:compose_text|no_compose_file))\b")
_CODES_ARE_PUBLIC = "error codes are public: people search for them, and monitoring compares them"

_BY_CATEGORY = "goes when waiting and blaming ask for the category of an error instead of its code"
_STORE = "goes when the store itself names what of its load is in the way"

_LOAD = re.compile("pg_terminate_backend|max_connections|COMMIT PREPARED or ROLLBACK PREPARED")

EXEMPTIONS = (
    Exemption("orchestrator/core/owners.py", _CODE, _CODES_ARE_PUBLIC),
    Exemption("orchestrator/core/error_categories.py", _CODE, _CODES_ARE_PUBLIC),
    Exemption("orchestrator/core/errors.py", re.compile(r"\bcompose\.\*"), _CODES_ARE_PUBLIC),
    Exemption("orchestrator/core/ports/*.py", _CODE, _CODES_ARE_PUBLIC),
    Exemption("orchestrator/run/service.py", _CODE, _CODES_ARE_PUBLIC),
    Exemption("orchestrator/run/blame.py", _CODE, _BY_CATEGORY),
    Exemption("states/shared/rehearsal_blame.py", _CODE, _BY_CATEGORY),
    Exemption("states/shared/checks/database.py", _LOAD, _STORE),
    Exemption("states/shared/checks/sessions.py", re.compile('"postgres", "template1"'), _STORE),
)


@dataclass(frozen=True)
class Place:
    """A line in which a word stands."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text.strip()}"


def find_words(root: Path, exemptions: Collection[Exemption] = EXEMPTIONS) -> tuple[list[Place], list[Exemption]]:
    """Lines with a word that no exemption covers, and exemptions that cover nothing."""
    used: set[Exemption] = set()
    places = []
    for path in _list_files(root):
        name = path.relative_to(root).as_posix()
        own = [one for one in exemptions if path.match(one.path)]
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            rest = line
            for one in own:
                rest, times = one.text.subn("", rest)
                used.update([one] if times else [])
            if WORDS.search(rest):
                places.append(Place(name, number, line))
    return places, [one for one in exemptions if one not in used]


def _list_files(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted(path for path in (root / folder).rglob("*") if path.suffix in (".py", ".toml"))


def render(places: Iterable[Place], unused: Iterable[Exemption]) -> list[str]:
    """One line for each finding."""
    return [
        *(f"{place}: a word of a product, which belongs into its adapter" for place in places),
        *(f"{one.path}: nothing needs the exemption {one.text.pattern!r} any more" for one in unused),
    ]


def main() -> int:
    """Print what was found; 1 where there is anything."""
    found = render(*find_words(ROOT))
    print(*found, sep="\n", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
