"""The recipe of the images, read as BuildKit reads it."""

from __future__ import annotations

import re

import pytest

from deploy.demo.images import DOCKERFILE, wheel_platforms

TEXT = DOCKERFILE.read_text(encoding="utf-8")
STAGES = dict(re.findall(r"^FROM (?:--platform=\S+ )?\S+ AS (\S+)\n(.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL))
ORIGINS = {name: origin for origin, name in re.findall(r"^FROM (.+) AS (\S+)$", TEXT, re.MULTILINE)}


def test_shipped_files_are_prepared_without_emulation() -> None:
    emulated = {name for name, origin in ORIGINS.items() if origin == "${PYTHON_IMAGE}"}
    assert emulated == {"app", "orchestrator"}
    runs = [line for name in emulated for line in STAGES[name].splitlines() if line.startswith("RUN ")]
    assert [line.split()[1] for line in runs] == ["groupadd"]


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_pip_takes_the_wheels_that_a_build_without_network_was_given(architecture: str) -> None:
    (asked,) = re.findall(r'^ENV PIP_PLATFORM="(.*)"$', STAGES[f"pip-{architecture}"], re.MULTILINE)
    assert [*asked.split(), "any"] == wheel_platforms(architecture)


def test_every_wheel_is_checked_against_the_lock() -> None:
    taken = re.findall(r"pip .*?(?:download|install) (?:.*\\\n)*.*", TEXT)
    locked = [command for command in taken if "--requirement" in command]
    assert len(locked) == 4
    assert all("--require-hashes" in command and "--only-binary :all:" in command for command in locked)


def test_the_app_is_not_root_and_is_asked_whether_it_is_well() -> None:
    assert "\nUSER 10001:10001\n" in STAGES["app"]
    assert "\nHEALTHCHECK --interval=30s --timeout=10s --start-period=5s " in STAGES["app"]


@pytest.mark.parametrize("target", ["app", "orchestrator"])
def test_both_images_have_the_three_labels(target: str) -> None:
    labels = set(re.findall(r"^LABEL org\.opencontainers\.image\.(\w+)=", STAGES[target], re.MULTILINE))
    assert labels == {"source", "version", "description"}
