"""The names of images in a rendering lead to the images that ran, without losing what they led to."""

from __future__ import annotations

import json
from typing import cast

import pytest

from orchestrator.adapters.compose.ran_images import hold_images
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import ImageDocument
from orchestrator.core.errors import PlatformError

WEB, WORKER, OTHER = (f"sha256:{letter * 64}" for letter in "abc")
DIGEST = f"sha256:{'d' * 64}"


class Engine:
    """Images by id and by their names."""

    def __init__(self, **names: str) -> None:
        self.names = {name.replace("__", ":"): image for name, image in names.items()}
        self.ids = {WEB, WORKER, OTHER}

    def find_image(self, reference: str) -> ImageDocument | None:
        found = self.names.get(reference) or (reference if reference in self.ids else None)
        return ImageDocument(id=found) if found else None

    def tag(self, image: str, name: str) -> None:
        self.names[name] = image


def hold(engine: Engine, project: dict[str, str], images: dict[str, str]) -> dict[str, str]:
    rendering = json.dumps({"services": {name: {"image": image} for name, image in project.items()}})
    held = json.loads(hold_images(cast("DockerEngine", engine), rendering, images))
    return {name: service["image"] for name, service in held["services"].items()}


def test_names_that_lead_where_they_should_stay() -> None:
    engine = Engine(app__v1=WEB)
    before = dict(engine.names)
    assert hold(engine, {"web": "app:v1", "db": "db:17"}, {"web": WEB}) == {"web": "app:v1", "db": "db:17"}
    assert engine.names == before


def test_two_services_come_back_with_the_image_of_each() -> None:
    engine = Engine(app__v1=OTHER)
    found = hold(engine, {"web": "app:v1", "worker": "worker:v1"}, {"web": WEB, "worker": WORKER})
    assert found == {"web": "app:v1", "worker": "worker:v1"}
    assert (engine.names["app:v1"], engine.names["worker:v1"]) == (WEB, WORKER)
    assert engine.names[f"upgrade-orchestrator/displaced:{'c' * 12}"] == OTHER


def test_a_digest_that_is_not_known_here_any_more_gives_way_to_the_tag() -> None:
    engine = Engine()
    assert hold(engine, {"web": f"h:5000/app:v1@{DIGEST}"}, {"web": WEB}) == {"web": "h:5000/app:v1"}
    assert engine.names == {"h:5000/app:v1": WEB}


def test_an_image_without_a_tag_is_started_by_its_id() -> None:
    assert hold(Engine(), {"web": f"app@{DIGEST}"}, {"web": WEB}) == {"web": WEB}


def test_an_image_that_is_gone_is_named() -> None:
    engine = Engine()
    engine.ids.clear()
    with pytest.raises(PlatformError, match="app:v1, which ran as sha256:aaaa") as caught:
        hold(engine, {"web": "app:v1"}, {"web": WEB})
    assert caught.value.code == "image.missing"
