"""The files that Compose obeys: the ``.env``, the compose files, and what these include, extend or take settings from.

What is only mounted into a container is not among them: its owner is often a user of that container.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchestrator.adapters.compose.project_files import find_first
from orchestrator.core.errors import PlatformError
from orchestrator.core.files import MIB, opened, read_beginning
from orchestrator.core.trust import require_trusted

_NAMED_UNDER = frozenset({"env_file", "include", "label_file"})
_EXTENDS = ("extends", "file")
_FILES_AT_MOST = 100
_COMPOSE_SUFFIXES = (".yaml", ".yml", ".json")


def admit_sources(directory: Path, files: Sequence[str] = ()) -> None:
    """See that only trusted users can change what the project in ``directory`` is read from; each before it is read.

    ``files`` are those that somebody names instead of what Compose begins with.

    Raises:
        TrustError: as `orchestrator.core.trust.require_trusted`.
        PlatformError: ``compose.not_regular``: Compose would wait for ever, or read a device.
    """
    seen: set[Path] = set()
    waiting = [directory / ".env", *([directory / name for name in files] or find_first(directory))]
    while waiting and len(seen) < _FILES_AT_MOST:
        path = waiting.pop(0)
        if path in seen:
            continue
        seen.add(path)
        require_trusted(path)
        _require_regular(path)
        if path.suffix in _COMPOSE_SUFFIXES:
            waiting += _find_named(path, directory)


def find_named(content: bytes) -> Iterator[str]:
    """Names of files as a compose file writes them; as far as it can be read, which Compose itself judges."""
    opened: list[_Open] = []
    with suppress(yaml.YAMLError):
        for event in yaml.parse(content, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                opened.append(_Open(isinstance(event, yaml.MappingStartEvent)))
                continue
            if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                opened.pop()
            elif isinstance(event, yaml.ScalarEvent):
                if opened and opened[-1].expects_key:
                    opened[-1].key, opened[-1].expects_key = event.value, False
                    continue
                if _names_a_file([one.key for one in opened if one.is_mapping]):
                    yield event.value
            elif not isinstance(event, yaml.AliasEvent):
                continue
            if opened and opened[-1].is_mapping:  # a value has ended
                opened[-1].expects_key = True


@dataclass
class _Open:
    """A mapping or list whose end has not come yet; ``key`` is the one whose value is being read."""

    is_mapping: bool
    key: str = ""
    expects_key: bool = False

    def __post_init__(self) -> None:
        self.expects_key = self.is_mapping


def _names_a_file(keys: list[str]) -> bool:
    return not _NAMED_UNDER.isdisjoint(keys) or tuple(keys[-2:]) == _EXTENDS


def _find_named(path: Path, directory: Path) -> list[Path]:
    try:
        names = dict.fromkeys(find_named(read_beginning(path, MIB)))
    except OSError:
        return []
    places = (folder / name for name in names for folder in dict.fromkeys((path.parent, directory)))
    return [place for place in places if "\0" not in str(place) and (place.is_file() or place.is_fifo())]


def _require_regular(path: Path) -> None:
    try:
        with suppress(FileNotFoundError, PermissionError), opened(path):
            pass
    except OSError as error:
        raise PlatformError(
            "compose.not_regular",
            f"{path} cannot be read: {error.strerror}.",
            impact="Nothing was touched.",
            hint="Put a file there, or take it out of the project.",
        ) from error
