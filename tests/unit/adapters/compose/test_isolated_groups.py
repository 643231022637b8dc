"""Which services can be kept from their users by their networks alone, and when somebody else is in the way."""

import json
from typing import Any

import pytest

from orchestrator.adapters.compose.isolated_groups import IsolatedGroup, find_circle
from orchestrator.adapters.compose.isolated_network import is_undisturbed
from orchestrator.adapters.docker.models import ContainerDocument, ListedDocument

LABEL = "com.docker.compose"


def render(app: dict[str, Any], **network: Any) -> str:
    plain = {"image": "shop:v2", "networks": {"default": None}, "depends_on": {"db": {"condition": "service_healthy"}}}
    db = {"image": "postgres:17", "networks": {"default": None}, "depends_on": {"vault": {}}}
    services = {"app": plain | app, "db": db, "vault": {"image": "vault", "networks": {"default": None}}}
    return json.dumps(
        {"name": "p", "services": services, "networks": {"default": {"name": "p_default", "ipam": {}} | network}}
    )


def test_services_are_kept_apart_with_all_that_they_depend_on() -> None:
    ports = [{"target": 80, "published": "8080"}]
    aliases = {"default": {"aliases": ["web"]}}
    labels = {"org.opencontainers.image.title": "shop"}
    app = {"ports": ports, "networks": aliases, "labels": labels, "deploy": {"replicas": 1}, "scale": 1}
    expected = IsolatedGroup("p", "p_gate", ("app",), ("db", "vault"), frozenset({"p_default"}))
    assert find_circle(render(app), ["app"]) == expected


@pytest.mark.parametrize(
    "app",
    [
        {"network_mode": "host"},
        {"networks": {}},
        {"networks": {"default": {"ipv4_address": "10.0.0.7"}}},
        {"networks": {"default": {"mac_address": "02:42:ac:11:00:02"}}},
        {"links": ["db:database"]},
        {"external_links": ["mail"]},
        {"mac_address": "02:42:ac:11:00:02"},
        {"scale": 2},
        {"deploy": {"replicas": 2}},
        {"labels": {"traefik.enable": "true"}},
        {"labels": {"caddy": "shop.example"}},
        {"label_file": ["labels.env"]},
        {"environment": {"VIRTUAL_HOST": "shop.example"}},
    ],
)
def test_a_service_that_needs_more_than_names_to_be_put_back_is_not_kept_apart(app: dict[str, Any]) -> None:
    assert find_circle(render(app), ["app"]) is None


@pytest.mark.parametrize(
    "network", [{"external": True}, {"internal": True}, {"driver": "macvlan"}, {"enable_ipv6": True}]
)
def test_a_service_in_a_network_that_is_not_all_its_projects_own_is_not_kept_apart(network: dict[str, Any]) -> None:
    assert find_circle(render({}, **network), ["app"]) is None


def listed(
    service: str,
    *,
    project: str = "p",
    networks: tuple[str, ...] = ("p_default",),
    mode: str = "p_default",
    source: str = "/srv",
    one_off: str = "False",
) -> ListedDocument:
    labels = {f"{LABEL}.project": project, f"{LABEL}.service": service, f"{LABEL}.oneoff": one_off}
    return ListedDocument.model_validate(
        {
            "Id": service,
            "State": "exited",
            "Labels": labels,
            "HostConfig": {"NetworkMode": mode},
            "NetworkSettings": {"Networks": {name: {} for name in networks}},
            "Mounts": [{"Source": source}],
        }
    )


@pytest.mark.parametrize(
    ("other", "undisturbed"),
    [
        (listed("app"), True),
        (listed("vault"), True),
        (listed("proxy"), False),
        (listed("app", one_off="True"), False),
        (listed("app", project="another"), False),
        (listed("proxy", networks=("other",)), True),
        (listed("proxy", networks=("host",), mode="host"), True),
        (listed("proxy", networks=("host",), mode="host", source="/run/docker.sock"), False),
        (listed("portainer", networks=("other",), mode="other", source="/var/run/docker.sock"), True),
    ],
)
def test_whoever_else_could_reach_the_services_is_seen(other: ListedDocument, undisturbed: bool) -> None:
    circle = find_circle(render({}), ["app"])
    assert circle is not None
    assert is_undisturbed(circle, [listed("db"), other]) is undisturbed


@pytest.mark.parametrize(
    ("wanted", "bound", "published"),
    [
        (None, {}, True),
        ({"80/tcp": [{}]}, {"80/tcp": [{"HostPort": "80"}], "81/tcp": None}, True),
        ({"80/tcp": [{}]}, {"80/tcp": None}, False),
        ({"80/tcp": [{}], "81/udp": [{}]}, {"80/tcp": [{"HostPort": "80"}]}, False),
    ],
)
def test_a_container_is_published_when_all_its_ports_are(wanted: Any, bound: Any, published: bool) -> None:
    container = ContainerDocument.model_validate(
        {
            "Id": "1",
            "Name": "/p-app-1",
            "Image": "i",
            "State": {"Status": "running"},
            "Config": {"Image": "shop:v2"},
            "HostConfig": {"PortBindings": wanted},
            "NetworkSettings": {"Networks": {}, "Ports": bound},
        }
    )
    assert container.published is published
