"""The command of the workflow that chooses the tags, run as GitHub runs it."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
WORKFLOW = CHECKOUT / ".github" / "workflows" / "docker-publish.yml"
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TAG = f"v{PROJECT['version']}"

Chosen = tuple[int, str, str]


def choose(folder: Path, event_name: str, ref: str, tag: str = "", *, gh: str = "cat releases.json") -> Chosen:
    """Exit code of that step, what it has handed on, and what it said; `gh` stands for GitHub's own command."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["tags"]["steps"]
    (command,) = [step["run"] for step in steps if step.get("id") == "choose"]
    release = {"tag_name": tag, "prerelease": False, "draft": True}
    (folder / "releases.json").write_text(json.dumps([[release], [{"tag_name": "v0.0.1"}]]))
    (folder / "gh").write_text(f"#!/bin/sh\ncd {folder} && {gh}\n")
    (folder / "gh").chmod(0o755)
    output = folder / "output"
    output.touch()
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", command],
        cwd=CHECKOUT,
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "GITHUB_REPOSITORY": "yourorg/remote-agent",
            "GITHUB_EVENT_NAME": event_name,
            "GITHUB_REF": ref,
            "GITHUB_OUTPUT": str(output),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, output.read_text(), done.stderr


def test_a_push_to_main_becomes_latest(tmp_path: Path) -> None:
    assert choose(tmp_path, "push", "refs/heads/main") == (
        0,
        "version=dev\nrules<<END\ntype=raw,value=latest\nEND\n",
        "",
    )


def test_a_release_becomes_its_own_tag_and_the_aliases(tmp_path: Path) -> None:
    number, _, before = PROJECT["version"].partition("-")
    major, minor, _ = number.split(".")
    tags = [TAG] if before else [TAG, "latest", f"{major}.{minor}", major]
    rules = "".join(f"type=raw,value={tag}\n" for tag in tags)
    assert choose(tmp_path, "push", f"refs/tags/{TAG}", TAG) == (0, f"version={TAG}\nrules<<END\n{rules}END\n", "")


@pytest.mark.parametrize(
    ("tag", "said"), [("latest", "is no tag of a release"), ("v987.6.5", f"says version {PROJECT['version']}")]
)
def test_a_release_that_cannot_be_stops_the_workflow(tmp_path: Path, tag: str, said: str) -> None:
    exit_code, handed_on, words = choose(tmp_path, "push", f"refs/tags/{tag}", tag)
    assert (exit_code, handed_on) == (1, "")
    assert words.startswith("tags: ")
    assert said in words
    assert "Traceback" not in words


@pytest.mark.parametrize("gh", ["exit 4", "cat releases.json && exit 4", "echo 'HTTP 502'"])
def test_without_githubs_whole_answer_the_step_fails(tmp_path: Path, gh: str) -> None:
    exit_code, _, words = choose(tmp_path, "push", f"refs/tags/{TAG}", TAG, gh=gh)
    assert exit_code in {1, 4}
    assert "Traceback" not in words
