"""Settle how the image of the app takes its tag from one variable of ``.env``; pure."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.init.compose_text import Written
from orchestrator.init.interview import Interview, Open, refusal
from orchestrator.init.survey import Service
from orchestrator.releases.version_order import is_comparable

_TAIL = re.compile(r":(?:\$(?P<bare>[A-Za-z_]\w*)|\$\{(?P<name>[A-Za-z_]\w*)(?::?[-?][^{}$]*)?\})$")
_USED = re.compile(r"\$\{?([A-Za-z_]\w*)")
_PRERELEASE = re.compile(r"^v?[\d.]+$|[-.]?(rc|alpha|beta|pre|preview|dev|nightly|snapshot)[-.]?\d*$", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[-_.+]")
_NOT_OF_A_WORD = re.compile(r"\W+")
_DEFAULT = "APP_VERSION"
_NUMBERED = re.compile(r"v?\d+|(?:v?\d+)?(?:rc|alpha|beta|pre|preview|dev|a|b)\d*")
_MOVING = frozenset(
    {"latest", "stable", "release", "main", "master", "edge", "nightly", "next", "lts", "current", "production", "prod"}
)


@dataclass(frozen=True)
class Pinning:
    """The version ``variable`` is to have the value ``text``; ``image`` is what the compose file should say.

    ``image`` is empty where the compose file is right as it is.
    """

    variable: str
    text: str
    image: str


def settle_pinning(
    app: Sequence[Service],
    written: Mapping[str, Written],
    environment: Mapping[str, str],
    interview: Interview,
    *,
    texts: Iterable[str] = (),
) -> Pinning:
    """Settle variable and value. ``written``: service → its image, for all services; ``environment``: the ``.env``.

    ``texts`` are the compose files: a variable that they use, for a build argument say, is not taken for the version.

    Raises:
        UsageError: ``usage.other_image``; as `Interview.settle`.
    """
    first = app[0]
    names = {one.name for one in app}
    own = {name: find_variable(one.value) for name, one in written.items()}
    used = {own.get(one.name) for one in app}
    present = used.pop() if len(used) == 1 else None
    sharers = sorted(name for name, one in written.items() if name not in names and present in _uses(one.value))
    used_elsewhere = {*environment, *(name for text in texts for name in _uses(text))}
    variable = _settle_variable(first, present, sharers, used_elsewhere, interview)
    text = _settle_text(first, interview)
    keeps = variable == present
    return Pinning(variable, text, "" if keeps else f"{first.repository}:${{{variable}}}")


def find_variable(image: str) -> str | None:
    """Return the variable that is the whole tag of an image as written, with or without a default; None if none is."""
    match = _TAIL.search(image)
    return (match["bare"] or match["name"]) if match else None


def is_fixed_version(tag: str) -> bool:
    """Tell whether a tag names one release, and not the newest or one flavour of it."""
    return is_comparable(tag) and bool(_PRERELEASE.search(tag)) and ("." in tag or len(tag.lstrip("v")) > _YEAR)


_YEAR = 3  # `v2` moves with every release of it; `2024` and `20240501` do not


def _settle_variable(
    first: Service,
    present: str | None,
    sharers: list[str],
    taken: Collection[str],
    interview: Interview,
) -> str:
    if present and not sharers:
        return interview.settle(Open("--variable", "Which variable of .env is the version?", guess=present))
    free = next(name for name in _suggest_names(first) if name not in taken)
    if not sharers:
        return interview.settle(Open("--variable", "Which variable of .env is to hold the version?", guess=free))
    why = (
        f"{present} is the version of {', '.join(sharers)} too, which run another image and would be asked for the"
        f" app's digest. With a variable of its own the app is upgraded alone, and they stay at {present}."
    )
    return interview.settle(
        Open("--variable", "Is the app to have a version variable of its own?", guess=free, safe=False, why=why)
    )


def _settle_text(first: Service, interview: Interview) -> str:
    tag = first.tag or "latest"
    fixed = is_fixed_version(tag)
    why = "" if fixed else f"The tag {tag!r} is no single release: it moves, or is one flavour of the image."
    answer = interview.settle(
        Open(
            "--current",
            "Which version of the app runs now?",
            guess=tag if fixed else "",
            why=why,
            example=tag if _find_flavour(tag) else "1.2.3",
        )
    )
    if answer and _find_flavour(answer) != _find_flavour(tag):
        raise refusal(
            "usage.other_image",
            f"{first.repository}:{answer} is another image than {first.repository}:{tag}, which {first.name} runs.",
            hint=f"Say --current {tag}, or a tag that keeps the other words of it.",
        )
    return f"{answer}@{first.digest}" if first.digest and answer in (tag, "") else answer


def _find_flavour(tag: str) -> frozenset[str]:
    """Return the words of a tag that are no number and no name for the newest: ``fpm``, ``alpine``, ``postgresql``."""
    words = (word.lower() for word in _BETWEEN_WORDS.split(tag))
    return frozenset(word for word in words if word and not _NUMBERED.fullmatch(word) and word not in _MOVING)


def _suggest_names(service: Service) -> Iterator[str]:
    base = _NOT_OF_A_WORD.sub("_", service.repository.rpartition("/")[2]).strip("_").upper()
    own = f"{base if base[:1].isalpha() else 'APP_' + base}_VERSION"
    yield from (_DEFAULT, own)
    yield from (f"{own}_{number}" for number in itertools.count(2))


def _uses(image: str) -> set[str]:
    return set(_USED.findall(image))
