"""Find names in the facts of a run: versions, images, databases, roles, services, files. They are no secrets. Pure."""

from collections.abc import Iterator, Mapping

from orchestrator.core.facts import Facts

_NAMES = {
    "version": "version",
    "tag": "version",
    "pin_text": "version",
    "repository": "image",
    "image_reference": "image",
    "database": "database",
    "name": "database",
    "service": "service",
    "services": "service",
    "user": "role",
    "owner": "role",
    "directory": "file",
    "path": "file",
}


def find_fact_names(facts: Facts) -> dict[str, str]:
    """Map each name to the thing that has it."""
    return dict(_find(facts.to_json(), ""))


def _find(value: object, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _find(inner, str(name))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _find(inner, key)
    elif isinstance(value, str) and key in _NAMES:
        yield value, _NAMES[key]
