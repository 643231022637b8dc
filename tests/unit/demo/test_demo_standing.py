"""A demo records its own parts, and ends nothing else."""

import os
from pathlib import Path
from unittest.mock import create_autospec

import docker
import pytest

from deploy.demo.standing import Standing


def test_the_note_is_read_back_as_written(tmp_path: Path) -> None:
    standing = Standing("demo-1", "demo-1-1", "/tmp/demo-1-x", 4711)
    standing.write(tmp_path)
    assert Standing.read(tmp_path) == standing


@pytest.mark.parametrize("text", ["", "{", '{"other": 1}', "[]"])
def test_a_note_that_was_cut_off_is_no_note(tmp_path: Path, text: str) -> None:
    (tmp_path / "standing.json").write_text(text)
    assert Standing.read(tmp_path) is None


def test_without_a_demo_there_is_no_note(tmp_path: Path) -> None:
    assert Standing.read(tmp_path) is None


def test_a_process_that_took_the_registrys_number_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = create_autospec(docker.DockerClient, instance=True)
    for things in (client.networks, client.containers, client.volumes, client.images):
        things.list.return_value = []
    ended: list[int] = []
    monkeypatch.setattr(os, "kill", lambda process, _signal: ended.append(process))
    Standing("demo-1", "demo-1-1", str(tmp_path / "bed"), os.getpid()).take_down(client)
    assert ended == []
