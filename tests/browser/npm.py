"""What the tests take from npm, as `packages/package-lock.json` says with hashes; installed once into a cache."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy.demo.images import cache_folder

LOCK = Path(__file__).parent / "packages"
INSTALL_TIMEOUT_S = 180


def ensure_packages() -> Path:
    """The folder `node_modules`; skips the test where there is no npm to install it."""
    recipe = hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / f"npm-{recipe}"
    if not folder.is_dir():
        _install(folder)
    return folder / "node_modules"


# Installed beside its place and renamed: a folder that is there is complete. No package runs anything of its own.
def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH")
    unfinished = Path(tempfile.mkdtemp(prefix="npm-", dir=folder.parent))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK / name, unfinished)
    argv = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run(argv, cwd=unfinished, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
    unfinished.rename(folder)
