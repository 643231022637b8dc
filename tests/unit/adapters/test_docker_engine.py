"""What the engine's answers are made into, and that nothing is contacted too early."""

import pytest

from orchestrator.adapters.docker_engine import DockerEngine
from orchestrator.adapters.engine_documents import DistributionDocument, ImageDocument, PullEvent
from orchestrator.adapters.image_pull import DownloadedBytes, explain_failure

DIGEST = "sha256:" + "a" * 64


def test_connecting_contacts_nothing() -> None:
    assert DockerEngine.connect("unix:///nonexistent/docker.sock").host == "unix:///nonexistent/docker.sock"


def test_layers_are_summed_up_to_one_progress() -> None:
    downloaded = DownloadedBytes("r:v1")
    for layer, current in (("a", 10), ("b", 5)):
        event = {"id": layer, "status": "Downloading", "progressDetail": {"current": current, "total": 100}}
        progress = downloaded.add(PullEvent.model_validate(event))
    assert progress is not None
    assert (progress.done, progress.total, progress.unit) == (15, 200, "bytes")
    assert downloaded.add(PullEvent(id="a", status="Extracting")) is None
    complete = downloaded.add(PullEvent(id="a", status="Download complete"))
    assert complete is not None
    assert complete.done == 105


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("manifest unknown: manifest unknown", 404, "pull.not_found"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", 404, "pull.not_found"),
        ("unauthorized: authentication required", 500, "pull.denied"),
        ("write /var/lib/docker/tmp/GetImageBlob1: no space left on device", None, "pull.no_space"),
        ("toomanyrequests: You have reached your pull rate limit", 500, "pull.rate_limited"),
        ("connection reset by peer", None, "pull.failed"),
    ],
)
def test_a_failed_pull_is_named_for_its_cause(text: str, status: int | None, code: str) -> None:
    assert explain_failure("r:v1", text, status).code == code


def test_attestations_are_no_platforms() -> None:
    found = DistributionDocument.model_validate(
        {
            "Descriptor": {"digest": DIGEST},
            "Platforms": [
                {"os": "linux", "architecture": "amd64"},
                {"os": "unknown", "architecture": "unknown"},
            ],
        }
    )
    assert found.platform_names == ("linux/amd64",)


def test_an_image_has_its_digests_whatever_the_repository() -> None:
    image = ImageDocument.model_validate({"Id": "i", "RepoDigests": [f"a/b@{DIGEST}", f"c@{DIGEST}"]})
    assert image.digests == (DIGEST,)
    assert ImageDocument.model_validate({"Id": "i", "RepoDigests": None}).digests == ()
