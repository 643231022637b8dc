"""A private rendering hides a service from users, and the host still reaches it."""

import json
from pathlib import Path

import pytest

from orchestrator.adapters.compose.command import start_command, up_command
from orchestrator.adapters.compose.gate import build_url_past_gate, check_gate, remove_half_connected
from orchestrator.adapters.compose.render_private import (
    Published,
    build_connections,
    build_gated_rendering,
    build_private_url,
    check_closable,
    choose_placeholders,
    find_published,
)
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import Connection, ContainerDocument
from orchestrator.core.errors import PlatformError

FOLDER = Path("/opt/app")
APP = {
    "image": "shop:v2",
    "container_name": "shop",
    "hostname": "shop",
    "restart": "always",
    "scale": 3,
    "labels": {"traefik.enable": "true", "caddy": "shop.example"},
    "ports": [{"mode": "ingress", "host_ip": "127.0.0.1", "target": 80, "published": "8080", "protocol": "tcp"}],
    "environment": {"VIRTUAL_HOST": "shop.example", "COLOUR": "blue"},
    "deploy": {"replicas": 3, "restart_policy": {"condition": "any"}, "resources": {"limits": {"memory": "1"}}},
    "networks": {"default": {"aliases": ["web"]}, "back": {"ipv4_address": "10.0.0.7"}},
    "depends_on": {"db": {"condition": "service_started"}},
}
WORKER = {"image": "shop:v2", "networks": {"default": None}}
DB = {"image": "postgres:17", "ports": [{"target": 5432, "published": "5432"}], "networks": {"back": None}}
PROJECT = json.dumps(
    {
        "name": "p",
        "services": {"app": APP, "worker": WORKER, "db": DB},
        "networks": {"default": {"name": "p_default"}, "back": {"name": "p_back"}},
    }
)


class Engine(DockerEngine):
    def __init__(self, driver: str) -> None:
        super().__init__()
        self.driver = driver

    def find_network_driver(self, name: str) -> str | None:
        return self.driver


def container_at(**addresses: str) -> ContainerDocument:
    networks = {name: {"IPAddress": address, "Links": None} for name, address in addresses.items()}
    document = {
        "Id": "1", "Name": "/p-app-gated", "Image": "i", "State": {"Status": "exited", "ExitCode": 3},
        "Config": {"Image": "shop:v2"}, "NetworkSettings": {"Networks": networks},
    }  # fmt: skip
    return ContainerDocument.model_validate(document)


class EngineWithContainer(Engine):
    def __init__(self, container: ContainerDocument | None) -> None:
        super().__init__("bridge")
        self.container = container
        self.removed: list[str] = []

    def find_container(self, name: str) -> ContainerDocument | None:
        return self.container

    def remove_container(self, name: str) -> None:
        self.removed.append(name)


@pytest.mark.parametrize(
    ("container", "removed"),
    [
        (None, []),
        (container_at(p_default="10.0.0.2", p_back="10.0.0.7"), []),
        (container_at(p_back="10.0.0.7"), ["p-app-gated"]),
        (container_at(), ["p-app-gated"]),
    ],
    ids=["not there", "whole", "cut off from one network", "cut off from all"],
)
def test_a_container_that_a_kill_has_left_without_its_network_is_made_anew(
    container: ContainerDocument | None, removed: list[str]
) -> None:
    engine = EngineWithContainer(container)
    remove_half_connected(engine, PROJECT, ["app"])
    assert engine.removed == removed


def test_nothing_that_leads_users_to_a_gated_service_is_left() -> None:
    services = json.loads(build_gated_rendering(PROJECT, ["app", "worker"]))["services"]
    assert services["app"] == {
        "image": "shop:v2",
        "container_name": "p-app-gated",
        "restart": "no",
        "labels": {"traefik.enable": "false"},
        "environment": {"COLOUR": "blue"},
        "deploy": {"resources": {"limits": {"memory": "1"}}},
        "networks": APP["networks"],
        "depends_on": APP["depends_on"],
    }
    assert services["worker"]["container_name"] == "p-worker-gated"
    assert services["db"] == DB


def test_gated_services_are_linked_to_each_other_under_all_their_names_and_keep_their_addresses() -> None:
    app, worker = "p-app-gated", "p-worker-gated"
    assert build_connections(PROJECT, ["app", "worker"]) == (
        Connection(app, "p_default", ((app, "app"), (app, "web"), (worker, "worker"))),
        Connection(app, "p_back", ((app, "app"),), ipv4_address="10.0.0.7"),
        Connection(worker, "p_default", ((app, "app"), (app, "web"), (worker, "worker"))),
    )


def test_an_address_is_held_only_where_the_engine_gives_them_out() -> None:
    assert choose_placeholders(PROJECT, ["app", "worker"]) == {"p_default": "shop:v2"}


@pytest.mark.parametrize("mode", ["none", "bridge", "service:worker"])
def test_a_service_without_a_network_of_names_can_be_hidden(mode: str) -> None:
    check_closable(json.dumps({"services": {"app": {"network_mode": mode}, "worker": {}}}), ["app", "worker"])


@pytest.mark.parametrize("mode", ["host", "container:vpn", "service:vpn"])
def test_a_service_on_a_foreign_network_stack_cannot_be_hidden(mode: str) -> None:
    with pytest.raises(PlatformError) as caught:
        check_closable(json.dumps({"services": {"app": {"network_mode": mode}, "vpn": {}}}), ["app"])
    assert caught.value.code == "gate.impossible"
    assert "gate: open" in caught.value.hint


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan"])
def test_a_service_with_an_address_among_its_users_cannot_be_hidden(driver: str) -> None:
    check_gate(Engine("bridge"), PROJECT, ["app"])
    with pytest.raises(PlatformError) as caught:
        check_gate(Engine(driver), PROJECT, ["app"])
    assert caught.value.code == "gate.impossible"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://localhost:8080/health", Published("app", 80)),
        ("http://shop.example:8080", Published("app", 80)),
        ("http://localhost/health", None),
        ("https://localhost:8080/health", None),
        ("http://localhost:5432/", None),
        ("http://localhost:8443/health", None),
        ("http://localhost:80eighty/", None),
    ],
)
def test_the_port_of_an_address_leads_to_the_service_that_publishes_it(url: str, found: Published | None) -> None:
    assert find_published(PROJECT, ["app", "worker"], url) == found


BEHIND = {"image": "shop:v2", "expose": ["8000"], "networks": {"default": None}}
PROXY = {"image": "nginx", "ports": [{"target": 80, "published": "8081"}, {"target": 443, "published": "8444"}]}


@pytest.mark.parametrize(
    ("url", "app", "found"),
    [
        ("https://shop.example/health", APP, Published("app", 80)),
        ("https://localhost:8444/health", APP, Published("app", 80)),
        ("http://shop.example/health", APP, Published("app", 80)),
        ("http://localhost:8081/health", BEHIND, Published("app", 8000)),
        ("https://shop.example/health", {**BEHIND, "expose": ["8000/tcp", "53/udp"]}, Published("app", 8000)),
        ("https://shop.example/health", {**BEHIND, "expose": ["8000", "9000"]}, None),
        ("https://shop.example/health", WORKER, None),
        ("https://shop.example:8080/health", APP, None),
        ("http://192.0.2.7:99/health", APP, None),
        ("ftp://shop.example/health", APP, None),
    ],
)
def test_an_address_of_a_proxy_leads_to_the_only_port_behind_it(
    url: str, app: dict[str, object], found: Published | None
) -> None:
    project = json.dumps({"name": "p", "services": {"app": app, "proxy": PROXY}})
    assert find_published(project, ["app"], url) == found


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://shop.example/health", "http://172.18.0.3:80/health"),
        ("http://localhost:8080/health?deep=1", "http://172.18.0.3:80/health?deep=1"),
        ("http://shop.example:8080", "http://172.18.0.3:80"),
    ],
)
def test_a_private_url_differs_in_host_and_port_only(url: str, private: str) -> None:
    assert build_private_url(url, "172.18.0.3", 80) == private
    assert "[fd00::3]:80" in build_private_url(url, "fd00::3", 80)


def test_only_an_address_on_a_bridge_is_one_that_the_host_reaches() -> None:
    url, app = "http://localhost:8080/x", Published("app", 80)
    found = [container_at(), container_at(a="", b="172.18.0.3")]
    assert build_url_past_gate(Engine("bridge"), app, found, url) == "http://172.18.0.3:80/x"
    with pytest.raises(PlatformError, match=r"its container is exited \(exit code 3\)") as caught:
        build_url_past_gate(Engine("overlay"), app, [container_at(a="10.0.0.2")], url)
    assert caught.value.code == "gate.no_address"
    with pytest.raises(PlatformError, match="its container is not there"):
        build_url_past_gate(Engine("bridge"), app, [], url)


def test_gated_containers_are_made_first_and_started_later_from_one_file() -> None:
    project = ("docker", "compose", "--file", "/run/f.json", "--project-name", "n", "--project-directory", "/opt/app")
    file = Path("/run/f.json")
    assert up_command(FOLDER, ["app"], file=file, name="n", start=False) == [
        *project, "up", "--no-start", "--no-build", "--pull", "never", "--no-deps", "--", "app",
    ]  # fmt: skip
    assert start_command(FOLDER, ["app"], file=file, name="n") == [*project, "start", "--", "app"]
