"""Clients that are connected beside the app are found before the stop, and named by service and container."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.core.foresight import Neighbourhood, Peer
from orchestrator.core.model.stores import Session
from orchestrator.core.model.verdict import Verdict
from states.shared.foreign_sessions import Strangers
from tests.tools.bench import Bench, serving_version
from tests.tools.database import FakeDatabase
from tests.tools.things import FakeDb
from tests.tools.world import address_of

LONG_S = 60.0
METRICS = Peer(
    name="the service metrics (container shop-metrics-1)",
    cure="List it under `target: disconnect: [metrics]`, or stop it.",
    service="metrics",
    addresses=("172.30.0.200",),
)
SCRAPE = Session(pid=77, user="reader", application="exporter", address="172.30.0.200", age_s=LONG_S)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_service_that_holds_a_session_is_named_with_its_container_before_the_stop(bench: Bench) -> None:
    bench.world.neighbours.append(METRICS)
    bench.world.databases["ledger"].sessions.append(SCRAPE)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert "the service metrics (container shop-metrics-1) as reader (exporter 77)" in report.run.reason
    assert "target: disconnect: [metrics]" in report.run.reason
    assert serving_version(bench.world) == "v1.0.0"
    assert bench.world.databases["ledger"].sessions == [SCRAPE]


def test_who_leaves_before_the_fence_would_give_up_is_no_reason_to_refuse(bench: Bench) -> None:
    bench.world.neighbours.append(METRICS)
    ledger = bench.world.databases["ledger"]
    ledger.sessions.append(SCRAPE.model_copy(update={"age_s": 0.5}))
    bench.world.happen("database.connections", lambda: None)
    bench.world.happen("database.connections", ledger.sessions.clear)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED, report.run.reason


def test_a_service_that_names_the_server_and_is_not_connected_now_is_told(bench: Bench) -> None:
    bench.world.neighbours.append(METRICS.model_copy(update={"names_it": True}))
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.COMMITTED
    (told,) = [state.reason for state in report.states if state.state == "preflight"]
    assert "the service metrics (container shop-metrics-1) may connect" in told


@pytest.mark.parametrize(("both", "told"), [(False, "Write `name: gitlike`"), (True, "would be in no backup")])
def test_an_app_that_is_connected_to_another_database_than_the_plans_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, both: bool, told: str
) -> None:
    own = Session(pid=90, user="app", application="app", address=address_of("app"), age_s=LONG_S)
    databases = ["gitlike", "ledger"] if both else ["gitlike"]
    found = tuple(own.model_copy(update={"database": name}) for name in databases)
    monkeypatch.setattr(FakeDatabase, "connections", lambda _: found)
    report = bench.run("v1.1.0")
    assert report.run.verdict is Verdict.REFUSED
    assert "connected to gitlike, and the plan names the database ledger" in report.run.reason
    assert told in report.run.reason


def test_the_database_that_clients_ask_for_names_is_no_other_database(bench: Bench) -> None:
    own = Session(pid=90, user="app", application="app", address=address_of("app"), age_s=LONG_S)
    bench.world.databases["postgres"] = FakeDb(schema=1, tables={}, sessions=[own])
    assert bench.run("v1.1.0").run.verdict is Verdict.COMMITTED


# --- whose a session is

APP = Peer(name="the service app", cure="", service="app", addresses=("10.0.0.2", "fd00::2"), names_it=True)
AROUND = Neighbourhood(
    inside=Peer(name="inside", cure="", addresses=("127.0.0.1", "::1")),
    outside=Peer(name="outside", cure=""),
    peers=(APP, METRICS),
    gateways=("10.0.0.1",),
)


def at(address: str, process: str = "") -> Session:
    return Session(pid=1, user="u", application="a", address=address, process=process)


@pytest.mark.parametrize(
    ("session", "name"),
    [
        (at("10.0.0.2"), "the service app"),
        (at("172.30.0.200"), METRICS.name),
        (at(""), "inside"),
        (at("127.0.0.1"), "inside"),
        (at("10.0.0.1"), "outside"),
        (at("192.168.7.7"), "somebody at 192.168.7.7"),
        (at("", "pg_cron launcher"), "the server's own process 'pg_cron launcher'"),
    ],
)
def test_a_session_is_told_by_where_it_comes_from(session: Session, name: str) -> None:
    assert Strangers(AROUND, ("app",)).find_peer(session).name == name


@pytest.mark.parametrize(
    ("app", "address", "group"),
    [
        (APP, "10.0.0.2", "own"),
        (APP, "fd00::2", "own"),
        (APP, "10.0.0.1", "foreign"),
        (APP, "", "foreign"),
        (APP, "172.30.0.200", "foreign"),
        # One that does not name the server may reach it through the host, and one on the host's network does.
        (APP.model_copy(update={"names_it": False}), "10.0.0.1", "doubtful"),
        (APP.model_copy(update={"addresses": (), "on_host_network": True}), "10.0.0.1", "doubtful"),
        (APP.model_copy(update={"addresses": (), "on_host_network": True}), "127.0.0.1", "doubtful"),
        (APP.model_copy(update={"addresses": (), "on_host_network": True}), "", "foreign"),
    ],
)
def test_only_who_is_certainly_not_the_app_is_foreign(app: Peer, address: str, group: str) -> None:
    strangers = Strangers(AROUND.model_copy(update={"peers": (app, METRICS)}), ("app",))
    found = {
        "own": strangers.find_own([at(address)]),
        "foreign": strangers.find_foreign([at(address)]),
        "doubtful": strangers.find_doubtful([at(address)]),
    }
    assert [name for name, sessions in found.items() if sessions] == [group]
