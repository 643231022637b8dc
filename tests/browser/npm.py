"""Install the npm packages of the tests once into a cache, with the hashes of `packages/package-lock.json`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.demo.images import cache_folder

LOCK = Path(__file__).parent / "packages"
INSTALL_TIMEOUT_S = 180


def ensure_packages() -> Path:
    """The folder `node_modules`."""
    recipe = hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"npm-{recipe}"
    if not folder.is_dir():
        _install(folder)
    return folder / "node_modules"


# Installed beside its place and renamed: a folder that is there is complete. No package runs anything of its own.
def _install(folder: Path) -> None:
    programs = Path(sys.executable).parent  # where a package of the virtual environment brings Node.js and npm along
    unfinished = Path(tempfile.mkdtemp(prefix="npm-", dir=folder.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, unfinished)
    argv = [str(programs / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    path = f"{programs}:{os.environ['PATH']}"
    subprocess.run(
        argv,
        cwd=unfinished,
        env={**os.environ, "PATH": path},
        check=True,
        capture_output=True,
        timeout=INSTALL_TIMEOUT_S,
    )
    unfinished.rename(folder)
