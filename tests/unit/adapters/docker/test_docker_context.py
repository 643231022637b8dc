"""Switching the docker context in the middle of a run does not switch ours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from docker.context import ContextAPI

from orchestrator.adapters.compose.command import build_environment
from orchestrator.adapters.docker.context import pin_docker_context


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("here", "there"):
        folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        endpoint = {"docker": {"Host": f"unix:///run/{name}.sock", "SkipTLSVerify": False}}
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoint}))
    use(tmp_path, "here")
    return tmp_path


def use(settings: Path, name: str) -> None:
    (settings / "config.json").write_text(json.dumps({"currentContext": name}))


def test_a_context_is_held_for_compose_and_for_every_connection(settings: Path) -> None:
    held = pin_docker_context({"PATH": "/bin"})
    use(settings, "there")
    assert build_environment(held)["DOCKER_CONTEXT"] == "here"
    assert ContextAPI.kwargs_from_context(environment=held)["base_url"] == "unix:///run/here.sock"
    assert ContextAPI.kwargs_from_context(environment={})["base_url"] == "unix:///run/there.sock"


def test_a_host_that_the_environment_names_is_left_as_it_is(settings: Path) -> None:
    assert pin_docker_context({"DOCKER_HOST": "tcp://10.0.0.1:2376"}) == {"DOCKER_HOST": "tcp://10.0.0.1:2376"}


def test_settings_that_cannot_be_read_are_no_reason_to_stop(settings: Path) -> None:
    use(settings, "nowhere")
    assert pin_docker_context({"PATH": "/bin"})["PATH"] == "/bin"
