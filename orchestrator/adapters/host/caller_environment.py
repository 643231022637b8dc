"""Take over from the caller's environment only trusted places of programs and of Docker's own settings.

Docker runs programs from its plugin folder, and Compose is one of them. So a folder there that another user can write
is as bad as a plan that another user can write.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.core.trust import TRUST, require_trusted

#: Their values decide which certificates of engine, registry and source of releases are trusted.
_TRUSTED_FILES = frozenset({"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"})
_TRUSTED_FOLDERS = frozenset({"SSL_CERT_DIR", "DOCKER_CERT_PATH"})
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def keep_trusted(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with only those folders of PATH in which only trusted users can put a program.

    A relative folder leads elsewhere in each working directory, so it is left out for everybody; a folder that others
    can
    write is left out for root.

    Raises:
        TrustError: another user can change Docker's settings or plugins there.
    """
    require_trusted_settings(environment)
    folders = [folder for folder in environment.get("PATH", _DEFAULT_PATH).split(os.pathsep) if _is_kept(folder)]
    return {**environment, "PATH": os.pathsep.join(folders) or _DEFAULT_PATH}


def require_trusted_settings(environment: Mapping[str, str]) -> None:
    """Check that only trusted users can change Docker's settings, plugins and trusted certificates.

    Raises:
        TrustError: as `orchestrator.core.trust.require_trusted`.
    """
    named = {name: Path(environment[name]) for name in (*_TRUSTED_FILES, *_TRUSTED_FOLDERS) if environment.get(name)}
    require_trusted(
        *(path for name, path in named.items() if name in _TRUSTED_FILES),
        folders=tuple(path for name, path in named.items() if name in _TRUSTED_FOLDERS),
    )
    home = environment.get("DOCKER_CONFIG") or (f"{environment['HOME']}/.docker" if environment.get("HOME") else "")
    if home:
        folder = Path(home)
        require_trusted(folder / "config.json", *_find_plugins(folder), folders=tuple(_find_folders(folder)))


def _find_folders(settings: Path) -> Iterator[Path]:
    yield from (folder for folder in (settings, settings / "cli-plugins", settings / "contexts") if folder.is_dir())


def _find_plugins(settings: Path) -> Iterator[Path]:
    folder = settings / "cli-plugins"
    if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
        yield from (path for path in folder.iterdir() if path.name.startswith("docker-"))


def _is_kept(folder: str) -> bool:
    if not folder.startswith("/"):
        return False
    try:
        return os.geteuid() != 0 or TRUST.find_distrust(Path(folder), folder=True) is None
    except OSError:
        return False
