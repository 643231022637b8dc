"""The command line answers with the right exit code, on the right stream, and touches nothing by looking."""

import json
import resource
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main

PLANS = Path(__file__).parents[3] / "plans"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.mark.parametrize("plan", sorted(PLANS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_plan_lints_without_an_error(plan: Path) -> None:
    done = call("lint", plan)
    assert done.exit_code == 0
    assert ("no problem" in done.stdout) is (plan.stem != "plain")
    assert "error" not in done.stdout


@pytest.mark.parametrize("style", ["text", "mermaid", "dot", "svg"])
def test_a_plan_is_drawn_without_touching_anything(style: str) -> None:
    done = call("graph", PLANS / "upgrade.yaml", "--format", style)
    assert done.exit_code == 0
    assert "rollback" in done.stdout


@pytest.mark.parametrize(
    "arguments", [["run"], ["check"], ["lint"], ["graph"], ["status"], ["history"], ["backups", "list"]]
)
def test_a_plan_that_is_not_there_is_a_usage_error(tmp_path: Path, arguments: list[str]) -> None:
    done = call(*arguments, tmp_path / "nowhere.yaml")
    assert done.exit_code == 2
    assert "nowhere.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_plan_at_all_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = call("run")
    assert done.exit_code == 2
    assert "orchestrator run plans/upgrade.yaml" in done.stderr


def test_a_wrong_plan_names_every_problem_with_its_place(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    text = (PLANS / "upgrade.yaml").read_text(encoding="utf-8")
    plan.write_text(text.replace("failed: rollback}", "failed: rolback}").replace("kind: backup,", "kind: bakcup,"))
    done = call("lint", plan)
    assert done.exit_code == 2
    assert "rolback" in done.stderr
    assert "rollback" in done.stderr
    assert "bakcup" in done.stderr
    assert done.stderr.count(f"{plan}:") + done.stderr.count("plan.yaml:") >= 2


def test_an_error_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = call("run", tmp_path / "nowhere.yaml", "--json")
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.exit_code == 2
    assert document["error"]["code"] == "plan.not_found"


def test_a_project_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    text = (PLANS / "upgrade.yaml").read_text(encoding="utf-8")
    plan.write_text(text.replace("/opt/remote-agent", str(tmp_path / "nowhere")))
    done = call("run", plan, "--force")
    assert done.exit_code == 10
    assert "does not exist" in done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_no_crash_of_ours_leaves_a_file_with_what_we_know() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (before[1], before[1]))
        assert call("lint", PLANS / "upgrade.yaml").exit_code == 0
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)


def test_what_others_can_reach_is_not_served_without_a_token() -> None:
    done = call("serve", PLANS / "upgrade.yaml", "--host", "192.0.2.1", "--port", "0")
    assert done.exit_code == 2
    assert "--token-file" in done.stderr


def test_a_token_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("short\n", encoding="utf-8")
    done = call("serve", PLANS / "upgrade.yaml", "--host", "192.0.2.1", "--token-file", tmp_path / "token")
    assert done.exit_code == 2
    assert "shorter than" in done.stderr


def test_a_token_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = call("serve", PLANS / "upgrade.yaml", "--token-file", tmp_path / "token")
    assert done.exit_code == 2
    assert "cannot be read" in done.stderr


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"  # of a folder of this test's: on some hosts everybody may write to /opt
    plan.write_text((PLANS / "upgrade.yaml").read_text(encoding="utf-8").replace("/opt/remote-agent", str(tmp_path)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("serve", plan, "--port", str(taken.getsockname()[1]))
    assert done.exit_code == 2
    assert "--port" in done.stderr
