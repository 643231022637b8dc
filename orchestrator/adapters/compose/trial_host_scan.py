"""A look through folders of the engine's host for sockets and pipes, which work however they are mounted.

The engine itself looks, in a container without a network: it may be on another machine, and sees what this user
may not.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from orchestrator.adapters.compose.trial_confinement import Sight
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import DeadlineExceededError, PlatformError

_FOLDER = "/look"
_TRIES_S = 10
_POLL_S = 0.1
_MOST = 32
# What vanishes while it is looked at was no obstacle. A folder is read for a while, and then not known.
_SCRIPT = f"""
for number in "$@"; do
  at="{_FOLDER}/$number"
  timeout {_TRIES_S} find "$at" '(' -type s -o -type p ')' -print0 2>/tmp/complaints
  code=$?
  if [ "$code" = 1 ] && ! grep -qv 'No such file' /tmp/complaints; then code=0; fi
  if [ -d "$at" ]; then kind=folder; else kind=file; fi
  printf '=%s %s %s\\0' "$number" "$code" "$kind"
done
"""


def look_through(
    engine: DockerEngine,
    image: str,
    sources: Sequence[str],
    *,
    name: str,
    labels: Mapping[str, str],
    deadline: Deadline,
) -> dict[str, Sight]:
    """What is at these paths of the engine's host; without an entry where nobody could look.

    ``image`` has a shell and `find`; the container is called ``name`` and is gone afterwards.

    Raises:
        PlatformError: ``engine.unreachable``.
    """
    paths = list(dict.fromkeys(sources))[:_MOST]
    if not paths:
        return {}
    try:
        return _look(engine, image, paths, name, labels, deadline)
    except PlatformError as error:
        if error.code != "engine.refused":
            raise
    finally:
        engine.destroy_container(name)
    if len(paths) == 1:
        return {}
    # One that is not there any more keeps the container from being made.
    alone = (look_through(engine, image, [one], name=name, labels=labels, deadline=deadline) for one in paths)
    return {path: sight for sights in alone for path, sight in sights.items()}


def _look(
    engine: DockerEngine, image: str, paths: Sequence[str], name: str, labels: Mapping[str, str], deadline: Deadline
) -> dict[str, Sight]:
    places = {path: f"{_FOLDER}/{number}" for number, path in enumerate(paths)}
    command = ["-c", _SCRIPT, "look", *(str(number) for number, _ in enumerate(paths))]
    engine.start_looking(name, image, command, places, labels)
    within = deadline.sooner(_TRIES_S * (len(paths) + 1), what="A look through folders of this host")
    with suppress(DeadlineExceededError):  # what it has not come to is not known
        within.poll(lambda: _find_ended(engine, name), every_s=_POLL_S)
    deadline.check()
    return read_sights(b"".join(engine.read_log(name)).decode(errors="replace"), paths)


def _find_ended(engine: DockerEngine, name: str) -> bool | None:
    container = engine.find_container(name)
    return None if container is not None and container.up else True


def read_sights(said: str, paths: Sequence[str]) -> dict[str, Sight]:
    """What the look has said: the doors of a path, and then its number, how the look ended, and what the path is."""
    found: dict[str, Sight] = {}
    doors: list[str] = []
    for word in said.split("\0"):
        if not word.startswith("="):
            doors.append(word)
            continue
        number, code, kind = word[1:].split(" ")
        start = f"{_FOLDER}/{number}"
        places = tuple(door.removeprefix(start).lstrip("/") or "." for door in doors if door.startswith(start))
        known = code == "0" and not any("\ufffd" in place for place in places)
        found[paths[int(number)]] = Sight(kind == "folder", places if known else None)
        doors = []
    return found
