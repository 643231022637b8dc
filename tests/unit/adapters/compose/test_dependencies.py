"""In which order services are stopped: who needs another first, and nobody waits for nothing."""

import pytest

from orchestrator.adapters.compose.dependencies import order_stops
from orchestrator.adapters.docker.models import NEEDS_LABEL, SERVICE_LABEL, ContainerDocument


def container(service: str, needs: str, number: int = 1) -> ContainerDocument:
    labels = {SERVICE_LABEL: service, NEEDS_LABEL: needs}
    known = {"Id": f"{service}{number}", "Name": f"/{service}", "Image": "i", "State": {"Status": "running"}}
    return ContainerDocument.model_validate({**known, "Config": {"Image": "i", "Labels": labels}})


@pytest.mark.parametrize(
    ("services", "groups"),
    [
        ({"app": "db:service_healthy:false", "worker": "db:service_healthy:false"}, [["app", "worker"]]),
        (
            {"api": "", "worker": "api:service_started:false", "proxy": "api:service_healthy:true,worker:x:false"},
            [["proxy"], ["worker"], ["api"]],
        ),
        ({"a": "b:service_started:false", "b": "a:service_started:false"}, [["a", "b"]]),
        ({}, []),
    ],
)
def test_who_needs_another_is_stopped_before_it(services: dict[str, str], groups: list[list[str]]) -> None:
    found = order_stops([container(service, needs) for service, needs in services.items()])
    assert [[one.labels[SERVICE_LABEL] for one in group] for group in found] == groups


def test_all_containers_of_a_service_are_stopped_together() -> None:
    both = [container("worker", "", 1), container("worker", "", 2)]
    assert list(order_stops([*both, container("proxy", "worker:service_started:false")])) == [
        [container("proxy", "worker:service_started:false")],
        both,
    ]
