"""Find, to the character, where a compose file names the image of a service, and replace that text.

Edits follow the marks of the YAML parser: every other byte, comments and layout included, stays as it is.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.init.interview import refusal

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)+")
_MERGE = "<<"
_MAX_EXTENDS = 8


@dataclass(frozen=True)
class Written:
    """A scalar in a file: ``value`` as YAML reads it, between ``start`` and ``end`` (characters, quotes included)."""

    path: Path
    value: str
    start: int
    end: int
    style: str
    in_flow: bool


def find_image(files: Mapping[Path, str], service: str) -> Written | None:
    """Find the text that gives a service its image, of several files in the last one that does; None where none does.

    Aliases, merge keys and ``extends`` are followed to the place of the text.

    Raises:
        UsageError: ``usage.compose_text``: a file is no YAML.
    """
    found = None
    for path, text in files.items():
        found = _find_in(files, path, text, service, _MAX_EXTENDS) or found
    return found


def list_services(text: str, path: Path, files: Collection[Path]) -> frozenset[str] | None:
    """List the services in one file; None where there may be others: an include is not among ``files``.

    Raises:
        UsageError: ``usage.compose_text``: it is no YAML.
    """
    services = _get(_read(text, path), "services")
    written = services.value if isinstance(services, yaml.MappingNode) else []
    names = frozenset(str(name.value) for name, _ in written)
    hidden = _MERGE in names or any(one not in files for one in find_includes(text, path))
    return None if hidden else names


def find_includes(text: str, path: Path) -> Iterator[Path]:
    """Find the files that a compose file includes, as it writes them, relative to its folder."""
    for node in _items(_get(_read(text, path), "include")):
        inner = _get(node, "path") if isinstance(node, yaml.MappingNode) else node
        for one in _items(inner):
            if isinstance(one, yaml.ScalarNode):
                yield path.parent / one.value


def find_extended(text: str, path: Path) -> Iterator[Path]:
    """Find the files that services of a compose file extend."""
    services = _get(_read(text, path), "services")
    for _, node in services.value if isinstance(services, yaml.MappingNode) else []:
        file = _get(_get(node, "extends"), "file")
        if isinstance(file, yaml.ScalarNode):
            yield path.parent / file.value


def replace_scalar(text: str, written: Written, value: str) -> str:
    """Return the text with another value there, in the same quotes. Raises `UsageError` where more would change."""
    quote = written.style if written.style in ("'", '"') else '"' if written.in_flow else ""
    edited = f"{text[: written.start]}{quote}{value}{quote}{text[written.end :]}"
    if written.style in ("|", ">") or not _differs_only_in(text, edited, written.value, value):
        raise refusal(
            "usage.compose_text",
            f"The image {written.value!r} in {written.path} is written in a way that cannot be edited safely.",
            hint=f"Write it there by hand as `image: {value}`, and run `orchestrator init` again.",
        )
    return edited


def _find_in(files: Mapping[Path, str], path: Path, text: str, service: str, depth: int) -> Written | None:
    node = _get(_get(_read(text, path), "services"), service)
    scalar = _get(node, "image")
    if isinstance(scalar, yaml.ScalarNode):
        return _locate(path, text, scalar)
    extends = _get(node, "extends")
    if extends is None or not depth:
        return None
    base = _get(extends, "service") if isinstance(extends, yaml.MappingNode) else extends
    file = _get(extends, "file")
    other = path.parent / file.value if isinstance(file, yaml.ScalarNode) else path
    if not isinstance(base, yaml.ScalarNode) or other not in files:
        return None
    return _find_in(files, other, files[other], base.value, depth - 1)


def _locate(path: Path, text: str, scalar: yaml.ScalarNode) -> Written:
    start, end = scalar.start_mark.index, scalar.end_mark.index
    # The mark of a scalar with an anchor or a tag is before these.
    properties = _PROPERTIES.match(text, start, end)
    start = properties.end() if properties else start
    return Written(path, scalar.value, start, end, scalar.style or "", _is_in_flow(text, start))


def _is_in_flow(text: str, start: int) -> bool:
    """Tell whether a bracket is open before ``start``."""
    depth = 0
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if token.start_mark.index >= start:
            break
        depth += isinstance(token, yaml.FlowMappingStartToken | yaml.FlowSequenceStartToken)
        depth -= isinstance(token, yaml.FlowMappingEndToken | yaml.FlowSequenceEndToken)
    return depth > 0


def _differs_only_in(text: str, edited: str, value: str, new: str) -> bool:
    try:
        before, after = _summarize(text), _summarize(edited)
    except (yaml.YAMLError, RecursionError):
        return False
    pairs = [(one, other) for one, other in zip(before, after, strict=False) if one != other]
    return len(before) == len(after) and pairs == [(("ScalarEvent", value), ("ScalarEvent", new))]


def _summarize(text: str) -> list[tuple[str, object]]:
    return [
        (type(event).__name__, getattr(event, "value", getattr(event, "anchor", None)))
        for event in yaml.parse(text, Loader=yaml.SafeLoader)
    ]


def _read(text: str, path: Path) -> yaml.Node | None:
    # The parser in Python: its marks count characters of the text also behind a byte order mark.
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise refusal(
            "usage.compose_text",
            f"{path} cannot be read as YAML, though Compose may.",
            hint="`docker compose config` shows the project as one plain file.",
        ) from error
    return root


def _get(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """Return the value of a key, its own before merged ones; None where there is none."""
    if not isinstance(node, yaml.MappingNode):
        return None
    own: yaml.Node | None = next((value for name, value in node.value if name.value == key), None)
    if own is not None:
        return own
    merged = (one for name, value in node.value if name.value == _MERGE for one in _items(value))
    return next((found for one in merged if (found := _get(one, key)) is not None), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    if node is None:
        return []
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]
