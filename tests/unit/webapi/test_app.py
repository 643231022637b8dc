"""The app of ``orchestrator serve``: who may look, what is shown, and that nothing can be started from there."""

import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator, FormatChecker
from werkzeug.test import TestResponse

from orchestrator.core.model.releases import Release
from orchestrator.journal.journal import Journal
from orchestrator.plan.schema import Plan
from tests.tools.bench import Bench
from tests.tools.build import RECOVERY
from tests.tools.feed import FakeFeed
from tests.tools.past import RUN, RunUnderWay, make_past
from webapi.app import create_app, describe_all
from webapi.runs import STREAMS_EACH, STREAMS_MAX, Runs, Stream

TOKEN = "a-token-nobody-guesses"
DESCRIPTION: dict[str, Any] = json.loads(describe_all())


def client(plan: Plan, token: str | None = None) -> FlaskClient:
    feed = FakeFeed(Release(version="v1.2.0"))
    stopping = threading.Event()
    stopping.set()  # a stream ends after what is there
    app = create_app(plan, feed, lambda: "v1.1.0", token=token, stopping=stopping, recovery=RECOVERY)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    return app.test_client()


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return make_past(tmp_path_factory.mktemp("past"))


def assert_described(path: str, document: object) -> None:
    schema = DESCRIPTION["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": DESCRIPTION["components"]}
    Draft202012Validator(whole, format_checker=FormatChecker()).validate(document)


def test_every_route_is_described(past: Plan) -> None:
    rules = {rule.rule.replace("<run_id>", "{id}") for rule in client(past).application.url_map.iter_rules()}
    assert {rule for rule in rules if "<" not in rule} == set(DESCRIPTION["paths"])
    assert client(past).get("/api/openapi.json").get_json() == DESCRIPTION


def test_runs_are_listed_newest_first_and_the_newest_in_full(past: Plan) -> None:
    found = client(past).get("/api/runs").get_json()
    assert_described("/api/runs", found)
    assert [(run["from"], run["to"], run["verdict"]) for run in found["runs"]] == [
        ("1.1.0", "1.3.0", "refused"),
        ("1.1.0", "1.2.0", "refused"),
        ("1.0.0", "1.1.0", "committed"),
    ]
    assert found["newest"]["id"] == found["runs"][0]["id"]
    assert [line["state"] for line in found["newest"]["states"]][-1] == "rehearse"
    assert found["newest"]["endState"] == "refused"


def test_one_run_is_shown_in_full(past: Plan) -> None:
    run_id = client(past).get("/api/runs").get_json()["runs"][2]["id"]
    found = client(past).get(f"/api/runs/{run_id}").get_json()
    assert_described("/api/runs/{id}", found)
    assert (found["verdict"], found["at"], found["next"]) == ("committed", None, [])
    assert found["outageSeconds"] > 0


def test_a_run_that_is_not_there_is_not_found(past: Plan) -> None:
    answer = client(past).get("/api/runs/r-0")
    assert (answer.status_code, answer.get_json()) == (404, {"reason": "not_found", "message": "There is no such run."})


def test_without_any_run_there_is_nothing_and_nothing_is_made(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan
    found = client(plan).get("/api/runs").get_json()
    assert found == {"runs": [], "newest": None}
    assert not plan.journal_directory.exists()


def test_a_run_under_way_says_where_it_is(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan
    run = RunUnderWay(plan)
    looking = client(plan)
    assert looking.get("/api/runs").get_json()["newest"]["at"] is None
    run.enter("check")
    assert looking.get("/api/runs").get_json()["newest"]["at"]["state"] == "check"
    run.leave("check", "newer")
    found = looking.get(f"/api/runs/{RUN}").get_json()
    assert_described("/api/runs/{id}", found)
    assert (found["at"]["state"], found["verdict"], found["states"][0]["outcome"]) == ("preflight", None, "newer")


def test_a_stream_begins_with_what_is_there(past: Plan) -> None:
    answer = client(past).get("/api/runs/live")
    assert answer.mimetype == "text/event-stream"
    event = next(line for line in answer.data.split(b"\n") if line.startswith(b"data: "))
    assert json.loads(event.removeprefix(b"data: ")) == client(past).get("/api/runs").get_json()


def test_streams_are_bounded_and_a_place_is_given_back(past: Plan) -> None:
    looking = client(past)
    streams = [look_on(looking, f"192.0.2.{place}") for place in range(STREAMS_MAX)]
    refused = look_on(looking, "192.0.2.99")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    streams[0].close()
    assert look_on(looking, "192.0.2.99").status_code == 200


def test_one_client_leaves_places_for_others_and_its_oldest_stream_makes_way(past: Plan) -> None:
    looking = client(past)
    streams = [look_on(looking, "192.0.2.1") for _ in range(STREAMS_MAX + 1)]
    assert [stream.status_code for stream in streams] == [200] * len(streams)
    assert look_on(looking, "192.0.2.2").status_code == 200


@pytest.mark.slow
def test_the_oldest_stream_of_a_client_ends_when_a_new_one_takes_its_place(past: Plan) -> None:
    stream = Stream(Runs(past.journal_directory, RECOVERY), threading.Event())
    opened = [stream.open("192.0.2.1") for _ in range(STREAMS_EACH + 1)]
    oldest, second = opened[:2]
    assert oldest is not None
    assert second is not None
    assert len(list(oldest)) == 2, "a stream goes on though its place is another's"
    assert [next(second) for _ in range(3)][2] == b": still here\n\n"


def look_on(looking: FlaskClient, address: str) -> TestResponse:
    return looking.get("/api/runs/live", buffered=False, environ_base={"REMOTE_ADDR": address})


def test_a_journal_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    plan = Bench(tmp_path).plan
    plan.journal_directory.mkdir(parents=True)
    (plan.journal_directory / "journal.sqlite3").write_bytes(b"not a database, but long enough to look like one" * 40)
    answer = client(plan).get("/api/runs")
    assert (answer.status_code, (answer.get_json() or {})["reason"]) == (503, "unusable")


def test_the_page_shows_every_state_and_lets_nothing_else_in(past: Plan) -> None:
    answer = client(past).get("/")
    for name in (*past.states, *past.ends):
        assert f'data-node="{name}"' in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "style=" not in answer.text
    assert "//" not in answer.text.replace("http://www.w3.org", "")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nothing_can_be_started(past: Plan, method: str) -> None:
    looking = client(past)
    for path in (*DESCRIPTION["paths"], "/api/runs/r-1"):
        assert looking.open(path.replace("{id}", "r-1"), method=method).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5180", "127.0.0.1.evil.example", "192.168.1.7"])
def test_a_name_that_leads_here_from_elsewhere_is_not_answered(past: Plan, host: str) -> None:
    assert client(past).get("/api/runs", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:5180", "localhost", "[::1]:5180"])
def test_this_machine_is_answered(past: Plan, host: str) -> None:
    assert client(past).get("/api/runs", headers={"Host": host}).status_code == 200


def test_run_page_needs_the_token_when_one_is_set(past: Plan) -> None:
    looking = client(past, TOKEN)
    basic = base64.b64encode(f"anybody:{TOKEN}".encode()).decode()
    wrong = base64.b64encode(b"anybody:wrong").decode()
    asked = {
        "": 401,
        "Bearer wrong": 401,
        f"Basic {wrong}": 401,
        "Basic !": 401,
        f"Digest {TOKEN}": 401,
        f"Bearer {TOKEN}": 200,
        f"Basic {basic}": 200,
    }
    for path in ("/", "/api/runs", "/api/version", "/api/runs/live", "/api/components/run-page.js"):
        for sent, status in asked.items():
            headers = {"Authorization": sent, "Host": "app.example"}
            with looking.get(path, headers=headers) as answer:
                assert (path, sent, answer.status_code) == (path, sent, status)
    assert "Basic" in looking.get("/").headers["WWW-Authenticate"]


def test_public_answers_are_described(past: Plan) -> None:
    responses = DESCRIPTION["paths"]["/api/runs"]["get"]["responses"]
    assert {"401", "421"} < set(responses)
    assert "401" not in DESCRIPTION["paths"]["/api/health"]["get"]["responses"]
    for name, answer in (
        ("Stranger", client(past, TOKEN).get("/api/runs")),
        ("Elsewhere", client(past).get("/api/runs", headers={"Host": "evil.example"})),
    ):
        assert [answer.mimetype] == list(DESCRIPTION["components"]["responses"][name]["content"])


def test_health_needs_no_token(past: Plan) -> None:
    assert client(past, TOKEN).get("/api/health").get_json() == {"status": "ok", "version": "1.1.0"}


def test_a_bug_shows_no_traceback(past: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_directory: Path) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(Journal, "open_existing", explode)
    answer = client(past).get("/api/runs")
    assert answer.status_code == 500
    assert (answer.get_json() or {})["reason"] == "internal_server_error"
    assert b"secret" not in answer.data
    assert b"Traceback" not in answer.data
