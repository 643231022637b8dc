"""The containers around a database: which may be connected to it, and how their operator calls them."""

import pytest

from orchestrator.adapters.compose.neighbours import build_neighbourhood, build_peer, is_place
from orchestrator.adapters.docker.models import ListedDocument

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"


def container(name: str, labels: dict[str, str] | None = None, network: str = "shop_default") -> ListedDocument:
    networks = {"shop_default": {"IPAddress": "172.20.0.5", "Gateway": "172.20.0.1"}}
    return ListedDocument.model_validate(
        {
            "Id": "0" * 64,
            "Names": [f"/{name}", f"/other/{name}"],
            "State": "running",
            "Labels": labels,
            "HostConfig": {"NetworkMode": network},
            "NetworkSettings": {"Networks": networks},
        }
    )


@pytest.mark.parametrize(
    ("labels", "service", "name", "cure"),
    [
        (
            {PROJECT: "shop", SERVICE: "metrics", ONE_OFF: "False"},
            "metrics",
            "the service metrics (container one)",
            "target: disconnect: [metrics]",
        ),
        (
            {PROJECT: "shop", SERVICE: "app", ONE_OFF: "True"},
            "",
            "the one-off container one of the service app",
            "docker stop one",
        ),
        (
            {PROJECT: "other", SERVICE: "web", ONE_OFF: "False"},
            "",
            "the container one (service web of the project other)",
            "docker stop one",
        ),
        (None, "", "the container one", "docker stop one"),
    ],
)
def test_a_container_is_named_by_service_and_project_with_what_ends_its_sessions(
    labels: dict[str, str] | None, service: str, name: str, cure: str
) -> None:
    peer = build_peer(container("one", labels), "shop", ("172.20.0.5",), names_it=False)
    assert (peer.service, peer.name) == (service, name)
    assert cure in peer.cure


def test_inside_and_gateway_are_those_of_the_servers_container() -> None:
    around = build_neighbourhood([container("shop-db-1")], "db", [])
    assert "shop-db-1" in around.inside.name
    assert around.gateways == ("172.20.0.1",)


@pytest.mark.parametrize(
    "variable",
    [
        "DATABASE_URL=postgresql://app:secret@db:5432/shop",
        "DATABASE_URL=postgres://app@db/shop",
        "DSN=host=db user=app",
        "DATA_SOURCE_URI=db:5432/postgres?sslmode=disable",
        "PGHOST=db",
        "POSTGRES_SERVER=shop-db-1",
        "SPRING_DATASOURCE_URL=jdbc:postgresql://shop-db-1:5432/shop",
    ],
)
def test_a_setting_that_leads_to_the_server_is_recognized(variable: str) -> None:
    assert is_place(variable, ("db", "shop-db-1"))


@pytest.mark.parametrize(
    "variable",
    ["POSTGRES_USER=db", "PGHOST=db2", "URL=http://adb:80/", "URL=http://db.example/", "MODE=db", "PATH=/db/bin", "X="],
)
def test_a_setting_that_leads_elsewhere_is_not(variable: str) -> None:
    assert not is_place(variable, ("db", "shop-db-1"))


def test_nothing_leads_to_a_server_without_a_name() -> None:
    assert not is_place("PGHOST=db", ())
