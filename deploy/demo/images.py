"""The images of the test bed: two base images, the ledger in any of its releases, and the orchestrator's own."""

import fcntl
import hashlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .commands import BedError, run_command

DEMO = Path(__file__).resolve().parent
CHECKOUT = DEMO.parents[1]
DOCKERFILE = DEMO.parent / "Dockerfile"
REQUIREMENTS = DEMO / "ledger" / "requirements.txt"
ORCHESTRATOR_REQUIREMENTS = tuple(DEMO.parent / "requirements" / name for name in ("orchestrator.txt", "build.txt"))
RELEASES = DEMO / "releases"

DESCRIPTION = "The ledger: a hash chain that shows whether an upgrade lost anything"

BASE_IMAGES_TIMEOUT_S = 900
BUILD_TIMEOUT_S = 300
DOWNLOAD_TIMEOUT_S = 300

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Architectures as Docker calls them, and as the kernel and Python do."""

_C_LIBRARIES = ("_2_28", "_2_17", "2014")


@dataclass(frozen=True, slots=True)
class BaseImages:
    """References of the images that everything else is built on or runs beside."""

    postgres: str
    python: str


def ensure_base_images() -> BaseImages:
    """Find the base images; pulled or built once on a machine (about a minute). Raises `BedError`."""
    output = run_command([str(DEMO / "setup" / "base_images.sh")], timeout_s=BASE_IMAGES_TIMEOUT_S)
    names = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    return BaseImages(postgres=names["POSTGRES_IMAGE"], python=names["PYTHON_IMAGE"])


def build_ledger(
    version: str,
    repository: str,
    *,
    bases: BaseImages,
    tag: str | None = None,
    release: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Build the ledger as `repository:tag` (tag: v`version`) without any network, and return that reference.

    `release` names the folder of `releases/` to build when it is not `version` itself. Raises `BedError`.
    """
    reference = f"{repository}:{tag or f'v{version}'}"
    argv = build_command(
        reference,
        target="app",
        contexts={"wheels": ensure_wheelhouse()},
        arguments={
            "PYTHON_IMAGE": bases.python,
            "DEBIAN_IMAGE": bases.python,
            "VERSION": version,
            "RELEASE": release or version,
            "DESCRIPTION": DESCRIPTION,
        },
        labels=labels or {},
    )
    run_command(argv, timeout_s=BUILD_TIMEOUT_S)
    return reference


def build_orchestrator(
    reference: str, *, bases: BaseImages, version: str = "dev", labels: Mapping[str, str] | None = None
) -> str:
    """Build the orchestrator's image as `reference` without any network, and return that; raises `BedError`.

    In it are the Docker command line and the Compose of this machine.
    """
    with docker_client() as client:
        argv = build_command(
            reference,
            target="orchestrator",
            contexts={"orchestrator-wheels": ensure_wheelhouse(*ORCHESTRATOR_REQUIREMENTS), "docker-client": client},
            arguments={"PYTHON_IMAGE": bases.python, "DEBIAN_IMAGE": bases.python, "VERSION": version},
            labels=labels or {},
        )
        run_command(argv, timeout_s=BUILD_TIMEOUT_S)
    return reference


def build_command(
    reference: str,
    *,
    target: str,
    contexts: Mapping[str, Path],
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    options: Sequence[str] = ("--load",),
) -> list[str]:
    """Command line that builds a target of `deploy/Dockerfile`; `contexts` are what its stages would download.

    `options` say for which platforms, and what becomes of it.
    """
    argv = ["docker", "buildx", "build", "--quiet", *options, "--network", "none", "--file", str(DOCKERFILE)]
    argv += ["--target", target, "--tag", reference]
    for option, pairs in (("build-context", contexts), ("build-arg", arguments), ("label", labels)):
        for name, value in pairs.items():
            argv += [f"--{option}", f"{name}={value}"]
    return [*argv, str(CHECKOUT)]


def ensure_wheelhouse(*requirements: Path, architectures: Sequence[str] = ()) -> Path:
    """Folder with exactly the locked wheels, the ledger's if no other file is named; raises `BedError`.

    For this machine if no `architectures` are named. Downloaded once for each content of the files.
    """
    files = requirements or (REQUIREMENTS,)
    chosen = architectures or (own_architecture(),)
    recipe = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    wheelhouse = cache_folder() / f"wheels-{'-'.join(chosen)}-{recipe}"
    with _locked(cache_folder() / "wheels.lock"):
        if not wheelhouse.is_dir():
            _download(files, wheelhouse, chosen)
    return wheelhouse


def wheel_platforms(architecture: str) -> list[str]:
    """Return pip's names of the platforms whose wheels run in the images."""
    return [*(f"manylinux{library}_{MACHINES[architecture]}" for library in _C_LIBRARIES), "any"]


def own_architecture() -> str:
    """Return this machine's architecture; raise `BedError` for an unknown one."""
    for name, machine in MACHINES.items():
        if machine == platform.machine():
            return name
    raise BedError(f"no wheels are known for machine {platform.machine()}")


# Copied, because a build context is a folder with nothing else in it.
@contextmanager
def docker_client() -> Iterator[Path]:
    """Folder with the Docker command line and the Compose of this machine below its architecture; raises `BedError`."""
    plugins = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
    compose = run_command(["docker", "info", "--format", plugins], timeout_s=60).strip()
    docker = shutil.which("docker")
    if docker is None or not compose:
        raise BedError("the Docker command line or its Compose plugin is not installed")
    with tempfile.TemporaryDirectory(prefix="docker-client-") as folder:
        place = Path(folder) / own_architecture()
        place.mkdir()
        shutil.copy(docker, place / "docker")
        shutil.copy(compose, place / "docker-compose")
        yield Path(folder)


def cache_folder() -> Path:
    """Return the folder that keeps downloads between runs; create it when missing."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(home) / "upgrade-orchestrator"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# Downloaded beside its place and renamed: a wheelhouse that exists is complete.
def _download(requirements: Sequence[Path], wheelhouse: Path, architectures: Sequence[str]) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix="wheels-", dir=wheelhouse.parent))
    try:
        argv = [*_find_pip(), "download", "--quiet", "--disable-pip-version-check"]
        argv += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
        argv += ["--implementation", "cp", "--python-version", "3.11"]
        argv += ["--dest", str(unfinished)]
        for file in requirements:
            argv += ["--requirement", str(file)]
        for architecture in architectures:
            platforms = [f"--platform={name}" for name in wheel_platforms(architecture)]
            run_command([*argv, *platforms], timeout_s=DOWNLOAD_TIMEOUT_S)
        unfinished.chmod(0o755)
        unfinished.rename(wheelhouse)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


# Environments that uv makes have no pip of their own.
def _find_pip() -> Sequence[str]:
    for candidate in ([sys.executable, "-m", "pip"], ["pip3"], ["uvx", "pip"]):
        try:
            run_command([*candidate, "--version"], timeout_s=60)
        except BedError:
            continue
        return candidate
    raise BedError("no pip answers, which downloads the ledger's wheels; install it: python -m ensurepip")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
