"""A proposal is carried out as a whole, or nothing of it."""

import json
from pathlib import Path

import pytest

from orchestrator.core.errors import UsageError
from orchestrator.init.proposal import Change, Proposal
from orchestrator.init.writing import write

BEFORE = {"name": "app", "services": {"web": {"image": "a/b:1.2.3"}}}


def propose(folder: Path) -> Proposal:
    compose = folder / "compose.yaml"
    compose.write_bytes(b"image: a/b:1.2.3\r\n")
    compose.chmod(0o640)
    changes = (
        Change(compose, "image: a/b:1.2.3\r\n", "image: a/b:${V}\r\n"),
        Change(folder / ".env", None, "V=1.2.3\n"),
    )
    return Proposal(changes, Change(folder / "plan.yaml", None, "plan: 1\n"), folder / "backups", "a/b", "V", {})


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in folder.iterdir()}


def test_everything_is_written_and_modes_stay(tmp_path: Path) -> None:
    proposal = propose(tmp_path)
    write(proposal, "{}", lambda: json.dumps(BEFORE))
    assert files(tmp_path) == {
        "compose.yaml": b"image: a/b:${V}\r\n",
        ".env": b"V=1.2.3\n",
        "backups": b"",
        "plan.schema.json": b"{}",
        "plan.yaml": b"plan: 1\n",
    }
    assert (tmp_path / "compose.yaml").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", [{"web": {"image": "c/d:1"}}, {"web": {"image": "a/b:2", "user": "x"}}, {}])
def test_a_project_that_would_be_another_one_is_put_back(tmp_path: Path, other: dict[str, object]) -> None:
    proposal = propose(tmp_path)
    before = files(tmp_path)
    answers = iter([json.dumps(BEFORE), json.dumps({**BEFORE, "services": other})])
    with pytest.raises(UsageError, match="another project"):
        write(proposal, "{}", lambda: next(answers))
    assert files(tmp_path) == before


def test_where_a_project_would_be_another_one_the_place_is_named(tmp_path: Path) -> None:
    built = [
        {"name": "app", "services": {"web": {"image": "a/b:1", "build": {"args": {"VERSION": version}}}}}
        for version in ("dev", "1.2.3")
    ]
    answers = iter(map(json.dumps, built))
    with pytest.raises(UsageError, match=r"differs in services\.web\.build\.args\.VERSION\."):
        write(propose(tmp_path), "{}", lambda: next(answers))


def test_an_anchor_under_a_name_of_its_own_is_no_part_of_the_project(tmp_path: Path) -> None:
    renderings = [{"services": {"web": {"image": tag}}, "x-web": {"image": tag}} for tag in ("a/b:1", "a/b:2")]
    answers = iter(map(json.dumps, renderings))
    write(propose(tmp_path), "{}", lambda: next(answers))
    assert (tmp_path / "plan.yaml").exists()


def test_failed_write_takes_back_the_other_changes(tmp_path: Path) -> None:
    proposal = propose(tmp_path)
    (tmp_path / "backups").write_text("a file in the folder's place", encoding="utf-8")
    before = files(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        write(proposal, "{}", lambda: json.dumps(BEFORE))
    assert files(tmp_path) == before


def test_a_file_that_was_edited_since_it_was_read_is_left_alone(tmp_path: Path) -> None:
    proposal = propose(tmp_path)
    (tmp_path / "compose.yaml").write_text("image: mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match="was edited since"):
        write(proposal, "{}", lambda: json.dumps(BEFORE))
    assert (tmp_path / "compose.yaml").read_text(encoding="utf-8") == "image: mine\n"


def test_a_link_in_the_place_of_the_plan_is_not_followed(tmp_path: Path) -> None:
    proposal = propose(tmp_path)
    (tmp_path / "plan.yaml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is there already"):
        write(proposal, "{}", lambda: json.dumps(BEFORE))
    assert not (tmp_path / "elsewhere").exists()
