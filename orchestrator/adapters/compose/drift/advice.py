"""How what runs and what would be started are made to agree, from what the containers carry; words of Compose."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.adapters.compose.drift.comparison import Deviation
from orchestrator.adapters.compose.drift.values import ENVIRONMENT, REPLICAS
from orchestrator.adapters.compose.project_files import find_compose_files
from orchestrator.adapters.docker.models import ENV_FILE_LABEL, FILES_LABEL, FOLDER_LABEL

_OURS = ".orchestrator"


@dataclass(frozen=True)
class Origin:
    """From where a container was started: folder, compose files and variable files, as Compose has noted them."""

    folder: Path
    files: tuple[Path, ...]
    env_files: tuple[Path, ...]

    def is_elsewhere(self, directory: Path) -> bool:
        """Whether it belongs to another folder, which is still there with its files."""
        outside = [file for file in self.files if not _real(file).is_relative_to(_real(directory))]
        moved = bool(self.files) and len(outside) == len(self.files) and _real(self.folder) != _real(directory)
        return moved and all(file.is_file() for file in self.files)

    def names_files(self, directory: Path) -> str:
        """``COMPOSE_FILE`` for these files; empty where they are those that the folder's own start reads."""
        if not self.files or any(_OURS in file.parts or not file.is_file() for file in self.files):
            return ""
        if [_real(file) for file in self.files] == [_real(file) for file in find_compose_files(directory)]:
            return ""
        return ":".join(_shorten(file, directory) for file in self.files)

    def names_env_files(self, directory: Path) -> tuple[Path, ...]:
        """Files of variables that the folder's own start does not read."""
        return tuple(file for file in self.env_files if _real(file) != _real(directory / ".env"))


def read_origin(labels: Mapping[str, str]) -> Origin:
    """What the labels of a container say of its start."""
    folder = Path(labels.get(FOLDER_LABEL, ""))
    return Origin(folder, _split(labels.get(FILES_LABEL, ""), folder), _split(labels.get(ENV_FILE_LABEL, ""), folder))


def advise(
    found: Sequence[Deviation],
    origins: Sequence[Origin],
    directory: Path,
    would_agree: Callable[[str], bool],
    find_profiles: Callable[[str], Sequence[str]],
) -> str:
    """What to do, most likely first. ``would_agree`` tells whether nothing differs with these compose files."""
    env = directory / ".env"
    advice: list[str] = []
    for origin in dict.fromkeys(origins):
        if origin.is_elsewhere(directory):
            advice.append(f"It was started from {origin.folder}: upgrade it with a plan whose project is that folder.")
            continue
        advice += advise_files(origin, directory, would_agree)
    advice += [text for one in found if (text := _advise_one(one, env, find_profiles))]
    shell = ", a variable of your shell into its .env" if any(one.item.kind == ENVIRONMENT for one in found) else ""
    return " ".join(
        [
            *dict.fromkeys(advice),
            f"If what runs is meant, write it into the files of {directory}{shell}; only if the files are meant, run"
            f" `{_choose_start(found)}` there and see that the app is well. Then run the upgrade again.",
        ]
    )


def advise_files(origin: Origin, directory: Path, would_agree: Callable[[str], bool]) -> list[str]:
    """What lets the folder's own start read what another one was told on its command line or by a shell."""
    env, advice = directory / ".env", []
    if files := origin.names_files(directory):
        agree = ", and nothing differs any more" if would_agree(files) else ""
        advice.append(f"It was started with other compose files: write `COMPOSE_FILE={files}` into {env}{agree}.")
    others = origin.names_env_files(directory)
    return [*advice, *(f"It was started with `--env-file {file}`: copy its lines into {env}." for file in others)]


# Compose does not see what was changed on a container behind its back, and leaves it as it is.
def _choose_start(found: Sequence[Deviation]) -> str:
    unseen = sorted({one.service for one in found if one.container is not None and not one.is_hashed})
    return " ".join(["docker compose up -d", *(["--force-recreate", *unseen] if unseen else [])])


def _advise_one(one: Deviation, env: Path, find_profiles: Callable[[str], Sequence[str]]) -> str:
    if one.item.kind == REPLICAS:
        return f"Write `scale: {one.running}` for {one.service} into the compose file to keep as many."
    if one.item.kind == "service" and (profiles := find_profiles(one.service)):
        return f"{one.service} belongs to a profile: write `COMPOSE_PROFILES={profiles[0]}` into {env}, or stop it."
    return ""


def _split(text: str, folder: Path) -> tuple[Path, ...]:
    return tuple(folder / name for name in text.split(",") if name)


def _shorten(file: Path, directory: Path) -> str:
    real, folder = _real(file), _real(directory)
    return str(real.relative_to(folder)) if real.is_relative_to(folder) else str(file)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
