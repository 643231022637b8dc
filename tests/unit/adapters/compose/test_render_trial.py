"""A rehearsed version reaches itself, its database, and the user's files only for reading."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from orchestrator.adapters.compose.render_trial import StagePlan, build_stage, find_staged
from orchestrator.adapters.compose.trial_confinement import Sight

PLAN = StagePlan(
    name="stage-1",
    run_id="r-1",
    services=("app",),
    database="db",
    images={"db": "sha256:live"},
    data=("/var/lib/postgresql/data",),
    writable=("/app/cache",),
    sights={
        "/srv/app/data": Sight(),
        "/srv/agent.ipc": Sight(is_folder=False, doors=(".",)),
        "/srv/init": Sight(),
        "/srv/key": Sight(is_folder=False),
    },
)

APP: dict[str, object] = {
    "image": "registry/app:v2",
    "build": {"context": "."},
    "command": ["serve"],
    "container_name": "the-app",
    "hostname": "front",
    "depends_on": {"db": {"condition": "service_healthy"}, "gone": {"required": False}},
    "environment": {"SECRET": "x"},
    "ports": [{"mode": "ingress", "target": 5100, "published": "8080", "protocol": "tcp"}],
    "networks": {"default": None, "edge": {"aliases": ["web"], "ipv4_address": "172.20.0.9"}},
    "links": ["db:database"],
    "labels": {"traefik.enable": "true"},
    "profiles": ["all"],
    "restart": "unless-stopped",
    "privileged": True,
    "devices": [{"source": "/dev/ttyUSB0", "target": "/dev/ttyUSB0"}],
    "pid": "host",
    "ipc": "host",
    "userns_mode": "host",
    "volumes_from": ["container:other"],
    "use_api_socket": True,
    "logging": {"driver": "syslog", "options": {"syslog-address": "udp://10.0.0.1:514"}},
    "deploy": {"replicas": 3, "restart_policy": {"condition": "any"}},
    "cap_drop": ["ALL"],
    "healthcheck": {"test": ["CMD", "true"]},
    "tmpfs": ["/tmp"],
    "volumes": [
        {"type": "bind", "source": "/srv/app/data", "target": "/data", "bind": {"create_host_path": True}},
        {"type": "bind", "source": "/srv/app/cache", "target": "/app/cache"},
        {"type": "bind", "source": "/var/run/docker.sock", "target": "/var/run/docker.sock"},
        {"type": "bind", "source": "/var/run", "target": "/host/run"},
        {"type": "bind", "source": "/", "target": "/host"},
        {"type": "bind", "source": "/srv/agent.ipc", "target": "/agent.ipc"},
        {"type": "volume", "source": "uploads", "target": "/uploads", "volume": {"nocopy": True}},
        {"type": "volume", "target": "/anonymous"},
        {"type": "tmpfs", "target": "/scratch"},
    ],
}
DATABASE: dict[str, object] = {
    "image": "postgres:17",
    "environment": {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": "secret"},
    "networks": {"default": None},
    "volumes": [
        {"type": "bind", "source": "/srv/db", "target": "/var/lib/postgresql/data"},
        {"type": "bind", "source": "/srv/init", "target": "/docker-entrypoint-initdb.d"},
    ],
}


def render(**services: Mapping[str, object]) -> str:
    project = {
        "name": "live",
        "services": {"app": APP, "db": DATABASE, "other": {"image": "other"}} | services,
        "networks": {"default": {"name": "live_default"}, "edge": {"external": True, "name": "edge"}},
        "volumes": {"uploads": {"driver_opts": {"type": "none", "o": "bind", "device": "/srv/uploads"}}},
        "secrets": {"key": {"file": "/srv/key"}},
    }
    return json.dumps(project)


def stage(plan: StagePlan = PLAN, **services: Mapping[str, object]) -> dict[str, dict[str, dict[str, object]]]:
    built = json.loads(build_stage(render(**services), plan))
    assert isinstance(built, dict)
    return built


def test_only_the_app_its_database_and_what_they_depend_on_are_staged() -> None:
    assert set(stage()["services"]) == {"app", "db"}
    assert set(stage(app={**APP, "depends_on": {"other": {}}})["services"]) == {"app", "db", "other"}
    assert find_staged(render(), ("app",)) == ("app", "db")


def test_the_only_network_leads_nowhere_and_knows_the_services_by_all_their_names() -> None:
    built = stage()
    network = built["networks"]["stage"]
    assert (network["internal"], network["enable_ipv6"]) == (True, False)
    assert network["driver_opts"] == {"com.docker.network.bridge.inhibit_ipv4": "true"}
    assert network["labels"] == {"upgrade-orchestrator.run": "r-1"}
    assert built["services"]["app"]["networks"] == {"stage": {"aliases": ["app", "the-app", "front", "web"]}}
    assert built["services"]["db"]["networks"] == {"stage": {"aliases": ["db", "database"]}}


LET_OUT = [
    *("build", "container_name", "ports", "profiles", "privileged", "devices", "pid", "ipc", "userns_mode"),
    *("volumes_from", "use_api_socket", "logging", "deploy", "links", "network_mode"),
]


@pytest.mark.parametrize("word", LET_OUT)
def test_what_would_let_it_out_is_left_out(word: str) -> None:
    assert word not in stage()["services"]["app"]


def test_nothing_is_pulled_restarted_or_labelled_as_the_user_did() -> None:
    app = stage()["services"]["app"]
    assert (app["pull_policy"], app["restart"]) == ("never", "no")
    assert app["labels"] == {"upgrade-orchestrator.run": "r-1"}
    assert app["security_opt"] == ["no-new-privileges:true"]
    assert app["dns"] == ["127.0.0.1"]
    assert app["cap_drop"] == ["ALL", "NET_RAW", "NET_ADMIN"]
    assert (app["healthcheck"], app["tmpfs"]) == ({"test": ["CMD", "true"]}, ["/tmp"])


def test_the_database_has_the_image_that_its_live_container_has() -> None:
    assert stage()["services"]["db"]["image"] == "sha256:live"
    assert stage()["services"]["app"]["image"] == "registry/app:v2"


def test_folders_of_the_host_are_for_reading_and_sockets_are_not_there() -> None:
    assert stage()["services"]["app"]["volumes"] == [
        {"type": "bind", "source": "/srv/app/data", "target": "/data", "read_only": True},
        {"type": "volume", "target": "/app/cache"},
        {"type": "volume", "source": "uploads", "target": "/uploads"},
        {"type": "volume", "target": "/anonymous"},
        {"type": "tmpfs", "target": "/scratch"},
    ]


def test_a_volume_is_empty_whatever_folder_the_live_one_stands_for() -> None:
    assert stage()["volumes"] == {"uploads": {"labels": {"upgrade-orchestrator.run": "r-1"}}}


def test_the_data_directory_is_empty_and_the_rest_of_the_database_is_for_reading() -> None:
    assert stage()["services"]["db"]["volumes"] == [
        {"type": "volume", "target": "/var/lib/postgresql/data"},
        {"type": "bind", "source": "/srv/init", "target": "/docker-entrypoint-initdb.d", "read_only": True},
    ]


def test_a_data_directory_below_a_mount_is_empty_too() -> None:
    below = replace(PLAN, data=("/var/lib/postgresql/data/pgdata",))
    assert {"type": "volume", "target": "/var/lib/postgresql/data"} in mounts(stage(below), "db")


def test_a_database_whose_password_was_taken_out_can_be_set_up_again() -> None:
    built = stage(db={**DATABASE, "environment": {"POSTGRES_USER": "app"}})
    assert "POSTGRES_PASSWORD" in str(built["services"]["db"]["environment"])


def test_a_dependency_that_the_project_does_not_have_is_not_waited_for() -> None:
    assert stage()["services"]["app"]["depends_on"] == {"db": {"condition": "service_healthy"}}


@pytest.mark.parametrize(("mode", "kept"), [("service:db", True), ("service:other", False), ("host", False)])
def test_only_the_network_of_a_staged_service_can_be_shared(mode: str, kept: bool) -> None:
    app = stage(app={**APP, "network_mode": mode})["services"]["app"]
    assert ("network_mode" in app, "networks" in app) == (kept, not kept)


def test_secrets_stay() -> None:
    assert stage()["secrets"] == {"key": {"file": "/srv/key"}}


def mounts(built: Mapping[str, Mapping[str, Mapping[str, object]]], service: str) -> list[object]:
    found = built["services"][service]["volumes"]
    assert isinstance(found, list)
    return found
