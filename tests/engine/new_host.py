"""A host that has never seen the project: an engine of its own, /opt empty, Docker's command line, curl, and no more.

Releases come from a server in the form of GitHub's, images from a registry; both are real and reached over the network.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import docker

from deploy.demo.bed import Bed, build_orchestrator, run_command
from deploy.demo.images import build_ledger
from tests.engine.installation import CHECKOUT, Ended
from tests.engine.private_engine import PrivateEngine

REPOSITORY = "yourorg/remote-agent"
FOLDER = "/opt/remote-agent"
COMMAND_TIMEOUT_S = 600

_LATER = """\
FROM {of}
ENV APP_VERSION={version}
LABEL org.opencontainers.image.version={version}
"""
# Docker's command line and Compose are those of the orchestrator's image; curl is the machine's, with its libraries.
_HOST = """\
FROM {python}
COPY --from={orchestrator} /usr/local/bin/docker /usr/local/bin/docker
COPY --from={orchestrator} /usr/local/libexec/docker /usr/local/libexec/docker
COPY lib /usr/local/lib/curl
COPY curl /usr/local/bin/curl
CMD ["sleep", "infinity"]
"""
_CURL = '#!/bin/sh\nexec /usr/local/lib/curl/ld.so --library-path /usr/local/lib/curl /usr/local/lib/curl/curl "$@"\n'


class Releases:
    """What is published: files for download, the list in the form of GitHub's API, and images."""

    def __init__(self, bed: Bed, folder: Path) -> None:
        self._bed = bed
        self._folder = folder
        self._listed: list[dict[str, object]] = []
        self._images: list[str] = []
        self._api = folder / "api" / "v3" / "repos" / REPOSITORY / "releases"
        self._api.parent.mkdir(parents=True)
        self._write()

    def build_app(self, version: str) -> None:
        """A release of the ledger, as the app."""
        self._push(build_ledger(version, self._name(REPOSITORY), bases=self._bed.bases, labels=self._bed.labels))

    def build_later(self, version: str, of: str, *lines: str) -> None:
        """A release that is a few lines of a Dockerfile more than another one."""
        text = _LATER.format(of=f"{self._name(REPOSITORY)}:v{of}", version=version) + "\n".join(lines)
        self._push(build(self._bed, f"{self._name(REPOSITORY)}:v{version}", text))

    def build_orchestrator(self, version: str) -> str:
        """The orchestrator of a release; its reference."""
        reference = f"{self._name('yourorg/upgrade-orchestrator')}:v{version}"
        build_orchestrator(reference, bases=self._bed.bases, version=f"v{version}", labels=self._bed.labels)
        self._push(reference)
        return reference

    def build_later_orchestrator(self, version: str, of: str) -> None:
        """The orchestrator of a later release: the same, as another image."""
        name = self._name("yourorg/upgrade-orchestrator")
        text = f"FROM {name}:v{of}\nLABEL org.opencontainers.image.version=v{version}\n"
        self._push(build(self._bed, f"{name}:v{version}", text))

    def publish(self, version: str) -> None:
        """Offer the files of a release, and announce it."""
        files = self._folder / REPOSITORY / "releases" / "download" / f"v{version}"
        run_command([str(CHECKOUT / "deploy" / "release" / "pack.sh"), f"v{version}", str(files)], timeout_s=60)
        page = f"https://github.com/{REPOSITORY}/releases/tag/v{version}"
        self._listed.insert(0, {"tag_name": f"v{version}", "body": f"Notes of {version}", "html_url": page})
        self._write()

    def _name(self, repository: str) -> str:
        return f"{self._bed.registry.address}/{repository}"

    def _push(self, reference: str) -> None:
        self._bed.registry.push(reference)

    def _write(self) -> None:
        self._api.write_text(json.dumps(self._listed))


@dataclass(frozen=True)
class Host:
    """A root file system beside the engine, as a container in the engine's network; what it runs ends as it ends."""

    engine: PrivateEngine
    container: str

    def run(self, *argv: str) -> Ended:
        """Run a command without a terminal."""
        done = subprocess.run(
            self._argv(argv),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def answer(self, *argv: str, question: str, word: str) -> Ended:
        """Run a command at a terminal, where a question is answered with a word."""
        ours, theirs = pty.openpty()
        argv = tuple(self._argv(argv, "--interactive", "--tty"))
        with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
            os.close(theirs)
            seen = bytearray(_read_until(ours, question.encode()))
            os.write(ours, f"{word}\n".encode())
            seen += _read_until(ours, None)
        os.close(ours)
        return Ended(process.returncode, seen.decode(errors="replace"), "")

    def _argv(self, argv: Sequence[str], *options: str) -> list[str]:
        return ["docker", "--host", self.engine.address, "exec", *options, self.container, *argv]


@contextmanager
def served(folder: Path, engine: PrivateEngine) -> Iterator[int]:
    """Serve a folder to everybody in the engine's network; the port."""
    handler = partial(_Quiet, directory=str(folder))
    with engine.inside():
        server = ThreadingHTTPServer(("0.0.0.0", 0), handler)  # noqa: S104 - a network that leads nowhere
    thread = threading.Thread(target=server.serve_forever, name="releases", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def build(bed: Bed, reference: str, text: str, folder: Path | None = None) -> str:
    """Build an image of a Dockerfile's text without any network; its reference."""
    with tempfile.TemporaryDirectory() as empty:
        context = folder or Path(empty)
        (context / "Dockerfile").write_text(text)
        argv = ["docker", "buildx", "build", "--quiet", "--load", "--network", "none", "--tag", reference]
        argv += [f"--label={name}={value}" for name, value in bed.labels.items()]
        run_command([*argv, str(context)], timeout_s=120)
    return reference


def build_host(bed: Bed, orchestrator: str) -> str:
    """The image of a host; its reference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _copy_curl(folder)
        text = _HOST.format(python=bed.bases.python, orchestrator=orchestrator)
        return build(bed, f"{bed.id}/host", text, folder)


def start_host(engine: PrivateEngine, image: str) -> Host:
    """Start a host whose /opt is the engine's, empty."""
    engine.cover("/opt")
    engine.take_usual_place()
    engine.load(image)
    mounts = [docker.types.Mount(path, path, "bind") for path in ("/var/run/docker.sock", "/opt")]
    with closing(engine.connect()) as client:
        container = client.containers.run(image, detach=True, network_mode="host", pid_mode="host", mounts=mounts)
        return Host(engine, str(container.id))


def _read_until(terminal: int, question: bytes | None) -> bytes:
    """What a terminal shows up to a question, or to the end of who writes on it."""
    seen = b""
    with suppress(OSError):  # nobody has it open any more
        while question is None or question not in seen:
            seen += os.read(terminal, 65_536)
    return seen


def _copy_curl(folder: Path) -> None:
    curl = shutil.which("curl")
    assert curl is not None, "curl is not installed; what is installed by hand is fetched with it"
    (folder / "lib").mkdir()
    shutil.copy(curl, folder / "lib" / "curl")
    for path in re.findall(r"(/\S+)", run_command(["ldd", curl], timeout_s=60)):
        place = "ld.so" if "/ld-" in path else Path(path).name
        shutil.copy(path, folder / "lib" / place)
    (folder / "curl").write_text(_CURL)
    (folder / "curl").chmod(0o755)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing."""
