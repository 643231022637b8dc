"""A sound plan is read, and problems of its shape are reported."""

from pathlib import Path

import pytest

from orchestrator.core.errors import PlanError
from orchestrator.core.model.verdict import Verdict
from orchestrator.plan.load import load_plan
from tests.unit.plan.kinds import HEAD, KINDS, SOURCE, STATES, PullOptions, parse, problems_of


def test_a_sound_plan_becomes_values() -> None:
    plan = parse()
    assert plan.name == "shop"
    assert plan.initial == "fetch"
    assert plan.ends == {"good": Verdict.COMMITTED, "refused": Verdict.REFUSED}
    assert plan.states["save"].timeout_s == 5400
    assert plan.states["fetch"].timeout_s == 1800
    assert plan.states["fetch"].options == PullOptions()
    assert plan.text == HEAD + STATES


def test_relative_paths_begin_at_the_folder_of_the_plan() -> None:
    plan = parse(HEAD.replace("directory: backups", "directory: ../backups") + STATES)
    assert plan.target.project == Path("/srv/plans/shop")
    assert plan.backups.directory == Path("/srv/backups")
    assert plan.journal_directory == Path("/srv/plans/shop/.orchestrator")


def test_the_journal_can_stand_elsewhere() -> None:
    assert parse(HEAD + "journal: {directory: /var/j}\n" + STATES).journal_directory == Path("/var/j")


def test_timeout_goes_where_failed_goes_unless_the_plan_says_otherwise() -> None:
    assert parse().states["fetch"].then == {"done": "save", "failed": "refused", "timeout": "refused"}
    text = (HEAD + STATES).replace("{done: save, failed: refused}", "{done: save, failed: refused, timeout: good}")
    assert parse(text).states["fetch"].then["timeout"] == "good"


def test_an_interrupted_that_is_given_is_a_transition() -> None:
    assert parse().states["fetch"].interrupted is None
    text = (HEAD + STATES).replace("{done: save, failed: refused}", "{done: save, failed: refused, interrupted: good}")
    assert parse(text).states["fetch"].interrupted == parse(text).states["fetch"].then["interrupted"] == "good"


def test_omitted_key_has_its_default() -> None:
    plan = parse()
    assert plan.target.health.steady_for_s == 10
    assert plan.target.health.give_up is None
    assert plan.target.version_variable == "APP_VERSION"
    assert plan.backups.keep == 3


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
plan: 2
name: shop
target: {project: shop, services: [app], imgae: example.org/shop}
database: {service: db}
releases: {source: githbu}
backups: {directory: backups, keep: 0}
initial: fetsh
states:
  fetch: {kind: pul, then: {done: good, failed: refused}}
  save: {kind: backup, then: {don: good, failed: refusd}, tiemout: 5s}
  good: {end: comitted}
  refused: {end: refused}
"""
    assert problems_of(text) == [
        "1:7: plan: unknown plan format 2; this program reads format 1 (G14)",
        "3:1: target: `image` is missing",
        "3:42: target.imgae: unknown key; did you mean `image`? (G14)",
        "5:20: releases.source: 'githbu' is not valid here; did you mean `github`?",
        "6:37: backups.keep: it should be greater than or equal to 1",
        "7:10: initial: there is no state `fetsh`; did you mean `fetch`? (G1)",
        "9:17: states.fetch.kind: there is no kind `pul`; did you mean `pull`?",
        "10:24: states.save.then: the outcome `done` (it is done) leads nowhere; write `done: …` (G2)",
        "10:31: states.save.then.don: `backup` has no outcome `don`; did you mean `done`? (G2)",
        "10:50: states.save.then.failed: there is no state `refusd`; did you mean `refused`? (G1)",
        "10:59: states.save.tiemout: unknown key; did you mean `timeout`? (G14)",
        "11:15: states.good.end: 'comitted' is not valid here; did you mean `committed`?",
    ]


@pytest.mark.parametrize(
    ("written", "instead", "problem"),
    [
        ("service: db", "service: 5", '4:21: database.service: read as the number 5; quote it: "5"'),
        ("name: shop", "name: 1.10", '2:7: name: read as the number 1.1; quote it: "1.10"'),
        ("name: shop", "name: true", '2:7: name: read as the boolean true; quote it: "true"'),
        ("name: shop", "name:", "2:6: name: there is no value; write one or leave the key out"),
        ("timeout: 1h30m", "timeout: 90", "has no unit; write `90s` for seconds or `90m` for minutes"),
        ("timeout: 1h30m", "timeout: 1 hour", "'1 hour' is no duration; write `10s`"),
        ("timeout: 1h30m", "timeout: 0s", "a deadline of 0s is not between 1ms and 24h (G10)"),
        ("timeout: 1h30m", "timeout: 25h", "a deadline of 1d1h is not between 1ms and 24h (G10)"),
        ("timeout: 1h30m", "attempts: 11, timeout: 1s", "less than or equal to 10"),
        ("kind: pull,", "kind: pull, with: {netwrok: true},", "states.fetch.with.netwrok: unknown key; did you mean"),
        (
            "kind: pull,",
            'kind: pull, with: {network: "no"},',
            "states.fetch.with.network: it should be a valid boolean",
        ),
        ("kind: pull,", "kind: command,", "states.fetch.with: `run` is missing"),
        ("kind: pull,", "kind: endless,", "a deadline of 2d is not between 1ms and 24h (G10)"),
        ("example.org/shop", 'example.org/shop:v1"', "carries a tag or digest"),
        ("project: shop", "project: ~/shop", "`~` is not expanded"),
        ("project: shop", 'project: "${HOME}/shop"', "variables are not replaced in paths"),
        ("source: github, repository: you/shop", "source: github", "`source: github` needs `repository`"),
        ("source: github, repository: you/shop", "source: file", "`source: file` needs `path`"),
        ("repository: you/shop", "repository: you/shop, path: x", "does not use `path`; leave it out"),
        ("services: [app]", "services: []", "target.services"),
        ("services: [app]", "services: [app], health: {version: {}}", "`version` needs a `url`"),
        ("services: [app]", "services: [app], health: {url: localhost}", "'localhost' is no address"),
        ("good: {end: committed}", "good: {end: internal_error}", "'internal_error' is not valid here"),
        ("good: {end: committed}", "good: committed", "a state is `{kind: …, then: {…}}`"),
        ("name: shop", "name: shop\nnotify: {}", "`notify` needs `urls_variable` or `urls_file`"),
        ("name: shop", "name: shop\nnotify: {urls_file: u, verdicts: [comitted]}", "did you mean `committed`?"),
        ("name: shop", "name: shop\nmetrics: {file: x.txt}", "node_exporter reads no file but `*.prom`"),
        ("initial: fetch", "", "`initial` is missing"),
        ("initial: fetch", "initial: good", "`good` is an end; a run begins with a state (G1)"),
    ],
)
def test_a_mistake_is_told_with_what_to_write_instead(written: str, instead: str, problem: str) -> None:
    text = (HEAD + STATES).replace(written, instead, 1)
    assert any(problem in line for line in problems_of(text)), problems_of(text)


@pytest.mark.parametrize(
    "written",
    [
        ("name: shop", "name: shop\nnotify: {urls_variable: 'json://kim:hunter2@example.org'}"),
        ("repository: you/shop", "repository: you/shop, token_variable: hunter2-"),
    ],
)
def test_a_secret_in_the_place_of_a_name_is_told_without_it(written: tuple[str, str]) -> None:
    (problem,) = problems_of((HEAD + STATES).replace(*written, 1))
    assert "write the NAME of an environment variable" in problem
    assert "hunter2" not in problem


def test_notifications_and_metrics_are_read() -> None:
    more = "notify: {urls_variable: URLS, timeout: 5s}\nmetrics: {file: metrics/shop.prom}\n"
    plan = parse(HEAD + more + STATES)
    assert plan.notify is not None
    assert plan.metrics is not None
    assert (plan.notify.urls_variable, plan.notify.timeout_s, plan.metrics.file.is_absolute()) == ("URLS", 5, True)
    assert set(plan.notify.verdicts) == {"committed", "refused", "rolled_back", "needs_operator"}


@pytest.mark.parametrize("name", ["class", "state", "trigger", "to_rest", "is_up", "on_enter_x", "Fetch", "a-b", "2x"])
def test_a_state_cannot_have_a_reserved_or_odd_name(name: str) -> None:
    problems = problems_of((HEAD + STATES).replace("fetch", name))
    assert any(f"states.{name}: " in problem for problem in problems)


def test_a_kind_that_needs_a_database_is_refused_without_one() -> None:
    for written in ("", "database:\n"):
        (problem,) = problems_of((HEAD + STATES).replace("database: {service: db}\n", written))
        assert "states.save.kind: `backup` needs a database and the plan names none" in problem


def test_an_empty_with_is_no_options() -> None:
    assert parse((HEAD + STATES).replace("kind: pull,", "kind: pull, with: ,")).states["fetch"].options == PullOptions()


@pytest.mark.parametrize("text", ["[]", "plan", "5"])
def test_something_that_is_no_mapping_is_no_plan(text: str) -> None:
    assert problems_of(text) == ["1:1: a plan is a mapping that begins with `plan: 1`"]


def test_a_plan_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(tmp_path / "no.yaml", KINDS)
    assert caught.value.code == "plan.not_found"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"#" * (1024 * 1024 + 1)])
def test_file_that_is_no_text_or_too_large_is_not_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "plan.yaml").write_bytes(content)
    with pytest.raises(PlanError) as caught:
        load_plan(tmp_path / "plan.yaml", KINDS)
    assert caught.value.code == "plan.not_readable"


def test_a_folder_is_no_plan(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as caught:
        load_plan(tmp_path, KINDS)
    assert caught.value.code == "plan.not_readable"


def test_a_problem_names_the_file_as_it_was_given() -> None:
    with pytest.raises(PlanError) as caught:
        parse("plan: 1")
    assert all(problem.startswith(f"{SOURCE}:1:1: ") for problem in caught.value.problems)
