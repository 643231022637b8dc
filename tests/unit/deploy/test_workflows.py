"""The workflows, read as GitHub reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
FOLDER = CHECKOUT / ".github" / "workflows"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.iterdir())}

Document = dict[Any, Any]


def read_workflow(name: str) -> Document:
    document = yaml.safe_load(TEXTS[name])
    assert isinstance(document, dict)
    return document


PUBLISH = read_workflow("docker-publish.yml")
JOBS = PUBLISH["jobs"]


def find_step(job: str, action: str) -> Document:
    """The inputs of the one step that uses an action."""
    (step,) = [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith(f"{action}@")]
    inputs = step["with"]
    assert isinstance(inputs, dict)
    return inputs


def test_main_and_tags_of_versions_are_published_and_nothing_else() -> None:
    assert PUBLISH[True] == {"push": {"branches": ["main"], "tags": ["v*"]}}


def test_the_tags_of_the_images_are_those_that_the_rules_choose() -> None:
    (choose,) = [step for step in JOBS["tags"]["steps"] if step.get("id") == "choose"]
    assert choose["run"] == (
        'gh api --paginate --slurp "repos/$GITHUB_REPOSITORY/releases"'
        ' | python3 deploy/release/tags.py >>"$GITHUB_OUTPUT"'
    )
    assert JOBS["tags"]["outputs"] == {
        "version": "${{ steps.choose.outputs.version }}",
        "rules": "${{ steps.choose.outputs.rules }}",
    }
    metadata = find_step("images", "docker/metadata-action")
    assert JOBS["images"]["needs"] == "tags"
    assert metadata["tags"] == "${{ needs.tags.outputs.rules }}"
    assert metadata["flavor"] == "latest=false"
    assert find_step("images", "docker/build-push-action")["tags"] == "${{ steps.metadata.outputs.tags }}"


def test_both_images_are_built_for_both_architectures_with_what_proves_their_origin() -> None:
    included = JOBS["images"]["strategy"]["matrix"]["include"]
    assert {entry["target"]: entry["image"] for entry in included} == {
        "app": "ghcr.io/${{ github.repository }}",
        "orchestrator": "ghcr.io/${{ github.repository_owner }}/upgrade-orchestrator",
    }
    build = find_step("images", "docker/build-push-action")
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["file"], build["target"]) == ("deploy/Dockerfile", "${{ matrix.target }}")
    assert build["build-args"].splitlines()[0] == "VERSION=${{ needs.tags.outputs.version }}"
    assert (build["push"], build["sbom"], build["provenance"]) == (True, True, "mode=max")


def test_a_release_takes_nothing_from_a_cache() -> None:
    build = find_step("images", "docker/build-push-action")
    assert build["no-cache"] == "${{ github.ref != 'refs/heads/main' }}"
    for name in ("cache-from", "cache-to"):
        assert re.fullmatch(r"\$\{\{ github\.ref == 'refs/heads/main' && .* \|\| '' \}\}", build[name])


def test_a_release_offers_the_wheel_and_what_an_installation_is_made_of() -> None:
    assets = JOBS["assets"]
    commands = [step["run"] for step in assets["steps"] if "run" in step]
    assert assets["if"] == "startsWith(github.ref, 'refs/tags/')"
    assert "images" in assets["needs"]
    assert commands == [
        "make wheel",
        'deploy/release/pack.sh "$VERSION" dist',
        'cp "$BUNDLE" dist/attestation.json\ndeploy/release/publish.sh "$VERSION" dist\n',
    ]


def test_all_files_of_a_release_are_attested_before_it_is_made() -> None:
    steps = JOBS["assets"]["steps"]
    (attest,) = [place for place, step in enumerate(steps) if step.get("id") == "attest"]
    assert steps[attest]["with"] == {"subject-path": "dist/*"}
    assert "pack.sh" in steps[attest - 1]["run"]
    assert steps[attest + 1]["env"]["BUNDLE"] == "${{ steps.attest.outputs.bundle-path }}"
    assert steps[attest + 1] is steps[-1]


def test_nothing_that_is_published_is_ever_overwritten() -> None:
    words = [*TEXTS.values(), (CHECKOUT / "deploy" / "release" / "publish.sh").read_text(encoding="utf-8")]
    assert not [text for text in words if "--clobber" in text]


def test_no_job_may_do_more_than_it_must() -> None:
    assert PUBLISH["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "tags": {"contents": "read"},
        "images": {"contents": "read", "packages": "write"},
        "assets": {"contents": "write", "id-token": "write", "attestations": "write"},
    }


def test_a_release_is_never_cut_off_by_what_comes_after_it() -> None:
    assert PUBLISH["concurrency"] == {
        "group": "docker-publish-${{ github.ref }}",
        "cancel-in-progress": "${{ github.ref == 'refs/heads/main' }}",
    }


@pytest.mark.parametrize("name", TEXTS)
def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is(name: str) -> None:
    used = re.findall(r"uses: (.*)", TEXTS[name])
    assert used
    assert [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)] == []


@pytest.mark.parametrize("name", TEXTS)
def test_no_checkout_leaves_a_token_behind(name: str) -> None:
    steps = [step for job in read_workflow(name)["jobs"].values() for step in job["steps"]]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_ci_checks_and_tests_with_time_enough() -> None:
    job = read_workflow("ci.yml")["jobs"]["check"]
    assert job["strategy"]["matrix"]["target"] == ["check", "test"]
    assert job["steps"][-1] == {"env": {"TARGET": "${{ matrix.target }}"}, "run": 'make "$TARGET"'}
    assert job["timeout-minutes"] == 90
