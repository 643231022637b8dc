"""The closed gate is put up again where it stood already, or half: after a start that was cut off."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.gate import start_gated
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.host.system_clock import SystemClock
from orchestrator.core.deadline import Deadline
from orchestrator.core.facts import FrozenProject

RENDERING = json.dumps(
    {
        "name": "shop",
        "services": {"app": {"image": "shop:v2", "networks": {"default": {}}}},
        "networks": {"default": {"name": "shop_default"}},
    }
)


class Api:
    """The engine's own calls, and one container behind the gate."""

    base_url = "http+docker://localhost"

    def __init__(self, status: str, networks: Sequence[str]) -> None:
        self.status, self.networks = status, list(networks)
        self.calls: list[str] = []

    def inspect_container(self, name: str) -> Mapping[str, object]:
        return {
            "Id": "id",
            "Name": name,
            "Image": "image",
            "State": {"Status": self.status},
            "Config": {"Image": "shop:v2"},
            "NetworkSettings": {"Networks": {network: {} for network in self.networks}},
        }

    def inspect_network(self, name: str) -> Mapping[str, str]:
        return {"Driver": "bridge"}

    def containers(self, **_: object) -> list[object]:
        return []

    def stop(self, container: str, timeout: int) -> None:
        self.calls.append("stop")
        self.status = "exited"

    def disconnect_container_from_network(self, container: str, network: str) -> None:
        self.calls.append("disconnect")
        self.networks.remove(network)

    def connect_container_to_network(self, container: str, network: str, **_: object) -> None:
        self.calls.append("connect")
        self.networks.append(network)


@pytest.mark.parametrize(
    ("status", "networks", "calls"),
    [
        ("created", ["shop_default"], ["disconnect", "connect"]),
        ("running", ["shop_default"], ["stop", "disconnect", "connect"]),
    ],
)
def test_a_container_is_connected_anew_only_while_it_is_stopped(
    tmp_path: Path, status: str, networks: list[str], calls: list[str]
) -> None:
    api = Api(status, networks)
    project = FrozenProject(
        name="shop",
        directory=tmp_path,
        template=tmp_path / "compose.template.json",
        template_sha256="",
        pin_text="v1",
        services=("app",),
    )
    with (
        patch.object(DockerEngine, "client", SimpleNamespace(api=api)),
        patch.object(Compose, "run", lambda *_, **__: api.calls.append("compose")),
    ):
        within = Deadline(SystemClock(), 60, what="The test")
        start_gated(DockerEngine(), Compose({}), project, ["app"], RENDERING, within)
    assert api.calls == ["compose", *calls, "compose"]
    assert api.networks == ["shop_default"]
