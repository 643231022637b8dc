"""The engine's answers are parsed, and nothing is contacted too early."""

import threading
from unittest.mock import patch

import pytest

from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.image_pull import DownloadedBytes, explain_pull_failure
from orchestrator.adapters.docker.models import (
    ContainerDocument,
    DistributionDocument,
    ImageDocument,
    PullEvent,
)
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.errors import PlatformError

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
    assert explain_pull_failure("r:v1", text, status).code == code


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


def test_containers_are_stopped_side_by_side_and_a_failure_is_told_once_all_have_ended() -> None:
    both = threading.Barrier(2, timeout=5)
    ended: list[str] = []

    def end(container: ContainerDocument, *, at_once: bool = False) -> None:
        both.wait()
        if container.id == "1":
            raise PlatformError("engine.refused", "It does not let itself be stopped.")
        ended.append(container.id)

    engine = DockerEngine.connect("unix:///nonexistent/docker.sock")
    known = {"Name": "/app", "Image": "i", "State": {"Status": "running"}, "Config": {"Image": "i"}}
    containers = [ContainerDocument.model_validate({"Id": number, **known}) for number in ("1", "2")]
    with patch.object(engine, "end_container", end), pytest.raises(PlatformError, match="does not let itself"):
        engine.stop_containers(containers, Deadline(SystemClock(), 10))
    assert ended == ["2"]


def test_where_none_runs_nothing_is_stopped_however_late_it_is() -> None:
    DockerEngine.connect("unix:///nonexistent/docker.sock").stop_containers([], Deadline(SystemClock(), 0))
