"""What a plan names in a project, looked up before anything is touched: services, images of jobs, programs."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from orchestrator.adapters.compose.rendering import PLACEHOLDER, parse_rendering, read_services
from orchestrator.core.files import read_beginning
from orchestrator.core.foresight import Obstacle, PlannedCommand, PlannedUse

_HEAD_BYTES = 256


@dataclass(frozen=True)
class Unknown:
    """Services of one place in the plan that the project does not have."""

    services: tuple[str, ...]
    obstacle: Obstacle


@dataclass(frozen=True)
class Lookup:
    """Where the things that a plan names are looked up.

    ``rendering`` is at the version to come, ``template`` has the placeholder for it; ``released`` are the services
    that run the release. A program of the host starts in ``folder``. ``read_hidden`` gives the services that only a
    profile switches on, ``is_here`` says whether the engine has an image.
    """

    rendering: str
    template: str
    released: Sequence[str]
    folder: Path
    search_path: str
    read_hidden: Callable[[], Mapping[str, Sequence[str]]]
    is_here: Callable[[str], bool]


def find_obstacles(use: PlannedUse, at: Lookup) -> tuple[Obstacle, ...]:
    """All that a plan names and that is not as a run will need it."""
    placed = {one.place: (one.service,) for one in use.commands if one.service is not None}
    unknown = find_unknown({**use.named, **placed}, at.rendering, at.read_hidden)
    lacking = {service for one in unknown for service in one.services}
    found = [one.obstacle for one in unknown]
    for command in use.commands:
        if command.service is None:
            problem = find_program_problem(command.argv[0], at.folder, at.search_path)
            found += [explain_program(command, problem)] if problem else []
        elif command.service not in lacking:
            found += find_job_obstacles(command, at.rendering, at.template, at.released, at.is_here)
    staged = (*at.released, *(one.service for one in use.commands if one.migrates and one.service))
    return (*found, *(find_stage_obstacles(at.rendering, staged) if use.rehearsed else ()))


def find_unknown(
    named: Mapping[str, Sequence[str]], rendering: str, read_hidden: Callable[[], Mapping[str, Sequence[str]]]
) -> list[Unknown]:
    """For each place in the plan, the services that are not in the project.

    ``read_hidden`` gives the services that only a profile switches on, each with its profiles.
    """
    known = read_services(parse_rendering(rendering))
    lacking = {place: tuple(one for one in names if one not in known) for place, names in named.items()}
    lacking = {place: names for place, names in lacking.items() if names}
    hidden = read_hidden() if lacking else {}
    return [Unknown(names, _explain_unknown(place, names[0], [*known], hidden)) for place, names in lacking.items()]


def read_profiles(rendering: str) -> Mapping[str, Sequence[str]]:
    """Service → the profiles of which one must be switched on for it; services without any are left out."""
    found = {name: one.get("profiles") for name, one in read_services(parse_rendering(rendering)).items()}
    return {name: [str(word) for word in words] for name, words in found.items() if isinstance(words, list) and words}


def find_job_obstacles(
    command: PlannedCommand, rendering: str, template: str, released: Sequence[str], is_here: Callable[[str], bool]
) -> list[Obstacle]:
    """What keeps a one-off container of a known service from doing what the plan wants of it.

    ``template`` is the rendering with the placeholder for the version, ``released`` are the services that run the
    release; ``is_here`` says whether the engine has an image.
    """
    name = str(command.service)
    if not command.argv and name in released and command.migrates:
        return [
            Obstacle(
                code="command.empty",
                what=f"`{command.place}` names the service {name} and no command, which would start the app itself"
                " and never end.",
                hint=f"Write the migration's words behind it: `{command.place}: [{name}, COMMAND, …]`.",
            )
        ]
    image = _image(rendering, name)
    follows = PLACEHOLDER in _image(template, name)
    if follows and _repository(image) in {_repository(_image(template, one)) for one in released}:
        return []  # `pull` brings it
    if follows:
        return [
            Obstacle(
                code="service.other_image",
                what=f"`{command.place}` runs in the service {name}, whose image {image!r} is not the one that an"
                " upgrade downloads.",
                hint="Give that service the image line of the app, or take it out of the plan.",
            )
        ]
    if command.migrates:
        return [
            Obstacle(
                code="service.other_image",
                what=f"`{command.place}` runs in the service {name}, whose image {image!r} does not follow the"
                " release: it would migrate as it does today, and not as the new version needs.",
                hint="Give that service the image line of the app, or run a tool that is no part of the release as a"
                " state of `kind: command`.",
            )
        ]
    if is_here(image):
        return []
    return [
        Obstacle(
            code="service.image_not_here",
            what=f"`{command.place}` runs in the service {name}, whose image {image!r} is not on this host, and an"
            " upgrade does not download it.",
            hint=f"`docker compose pull {name}` in the project's folder, then run the upgrade again.",
        )
    ]


def find_stage_obstacles(rendering: str, services: Sequence[str]) -> list[Obstacle]:
    """What a stage cannot give to these services."""
    known = read_services(parse_rendering(rendering))
    on_host = [name for name in dict.fromkeys(services) if known.get(name, {}).get("network_mode") == "host"]
    if not on_host:
        return []
    verb = "uses" if len(on_host) == 1 else "use"
    return [
        Obstacle(
            code="rehearse.host_network",
            what=f"{' and '.join(on_host)} {verb} the host's network (`network_mode: host`), and a rehearsal must not"
            " reach the host: the app would not find its database there.",
            hint="Put it into the project's network, where the database has the name of its service, or leave the"
            " state of `kind: rehearse` out of the plan.",
        )
    ]


def find_program_problem(program: str, folder: Path, search_path: str) -> str:
    """Why a program of the host could not be started from ``folder``; empty where it could."""
    if "/" not in program:
        found = shutil.which(program, path=search_path)
        return _find_script_problem(Path(found)) if found else f"it is in none of {search_path}"
    path = folder / program
    if not path.exists():
        return f"there is no {path}"
    if not path.is_file():
        return f"{path} is no file"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable"
    return _find_script_problem(path)


def explain_program(command: PlannedCommand, problem: str) -> Obstacle:
    """The obstacle of a program that could not be started."""
    return Obstacle(
        code="command.not_started",
        what=f"`{command.place}` could not start {command.argv[0]}: {problem}.",
        hint="Correct its path (it starts in the project's folder, without a shell), or make it executable.",
    )


# A script without a line that names its interpreter, or with one that is not there, fails as it is started.
def _find_script_problem(path: Path) -> str:
    try:
        head = read_beginning(path, _HEAD_BYTES)
    except OSError:
        return ""  # it may be run without being readable
    if head.startswith(b"#!"):
        words = head[2:].splitlines()[0].split() if head[2:].splitlines() else []
        interpreter = os.fsdecode(words[0]) if words else ""
        return "" if interpreter and Path(interpreter).exists() else f"its first line names {interpreter or 'nothing'}"
    if b"\0" in head or not head:
        return "" if head else f"{path} is empty"
    return f"{path} has no first line `#!…` that says what runs it"


def _explain_unknown(place: str, service: str, known: Sequence[str], hidden: Mapping[str, Sequence[str]]) -> Obstacle:
    if service in hidden:
        profiles = " or ".join(hidden[service])
        return Obstacle(
            code="service.unknown",
            what=f"`{place}` names the service {service}, which belongs to the profile {profiles}, and that is off.",
            hint=f"Add `COMPOSE_PROFILES={hidden[service][0]}` to the project's .env.",
        )
    close = get_close_matches(service, known, 1)
    meant = f"Did you mean {close[0]}? " if close else ""
    return Obstacle(
        code="service.unknown",
        what=f"`{place}` names the service {service}, and the project has none of that name.",
        hint=f"{meant}It has {', '.join(sorted(known))}; correct the plan.",
    )


def _image(rendering: str, service: str) -> str:
    known = read_services(parse_rendering(rendering))
    return str(known.get(service, {}).get("image") or "")


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    return name.rpartition(":")[0] if ":" in name.rsplit("/", 1)[-1] else name
