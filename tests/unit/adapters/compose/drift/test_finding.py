"""A difference is told only where Compose's own hash allows for it, with what makes files and containers agree."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from orchestrator.adapters.compose.command import Compose
from orchestrator.adapters.compose.drift.finding import DriftFinder
from orchestrator.adapters.compose.drift.naming import check_name, tell_origin
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.adapters.docker.models import EngineDocument, ImageDocument, ListedDocument
from orchestrator.adapters.docker.settings import ContainerSettings, ImageSettings
from orchestrator.core.errors import PlatformError, RefusedError
from orchestrator.core.model.workloads import Drift
from orchestrator.redaction.redactor import Redactor

Document = dict[str, Any]


class Engine:
    """One container of one image."""

    def __init__(self, *containers: Document) -> None:
        self.containers = containers

    def find_settings(self, labels: Mapping[str, str]) -> tuple[ContainerSettings, ...]:
        return tuple(map(ContainerSettings.model_validate, self.containers))

    def find_image_settings(self, image_id: str) -> ImageSettings:
        return ImageSettings(id=image_id)

    def find_image(self, reference: str) -> ImageDocument | None:
        return ImageDocument(id="sha256:1") if reference in ("shop:v1", "shop:same") else None

    def find_networks(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return ()

    def read_file(self, container_id: str, path: str) -> bytes | None:
        return {"/greeting": b"hello", "/run/secrets/word": b"swordfish"}.get(path)

    def inspect(self) -> EngineDocument:
        return EngineDocument(id="e", server_version="26", architecture="amd64", logging_driver="journald")

    def is_local(self) -> bool:
        return False

    def list_containers(self) -> tuple[ListedDocument, ...]:
        return tuple(
            ListedDocument.model_validate({"Id": one["Id"], "State": "running", "Labels": one["Config"]["Labels"]})
            for one in self.containers
        )


class Renders:
    """Says what Compose would; ``renderings`` by the value of the variable that asks for another one."""

    def __init__(self, renderings: Mapping[str, Document], hashes: Mapping[str, str]) -> None:
        self.renderings, self.hashes, self.mask = renderings, hashes, Redactor()
        self.asked: list[str] = []

    def read_hashes(self, directory: Path, variables: Mapping[str, str], **_: object) -> Mapping[str, str]:
        self.asked.append("hash")
        return self.hashes

    def render(self, directory: Path, variables: Mapping[str, str]) -> str:
        asked = variables.get("COMPOSE_FILE") or variables.get("COMPOSE_PROFILES") or ""
        self.asked.append(asked)
        return json.dumps(self.renderings[asked])


def project(**settings: object) -> Document:
    return {
        "name": "shop",
        "services": {"web": {"image": "shop:v1", "networks": {"default": None}, "restart": "always", **settings}},
        "networks": {"default": {"name": "shop_default"}},
    }


def container(folder: Path, *, service: str = "web", **config: object) -> Document:
    labels = {
        "com.docker.compose.project": "shop",
        "com.docker.compose.service": service,
        "com.docker.compose.config-hash": "h1",
        "com.docker.compose.project.working_dir": str(folder),
        "com.docker.compose.project.config_files": str(folder / "docker-compose.yml"),
    }
    return {
        "Id": "a" * 64,
        "Name": f"/shop-{service}-1",
        "Image": "sha256:1",
        "State": {"Status": "running"},
        "Config": {"Image": "shop:v1", "Hostname": "a" * 12, "Labels": labels, **config},
        "HostConfig": {"RestartPolicy": {"Name": "always"}, "LogConfig": {"Type": "json-file"}},
        "NetworkSettings": {"Networks": {"shop_default": {"Aliases": [service]}}},
    }


def find(folder: Path, made: Document, *there: Document, compose: Renders | None = None) -> Drift:
    compose = compose or Renders({}, {"web": "other"})
    finder = DriftFinder(cast("DockerEngine", Engine(*there)), cast("Compose", compose), folder, {"VERSION": "v1"})
    return finder.find(json.dumps(made))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("docker-compose.yml", "prod.yml", "prod.env", ".env"):
        (tmp_path / name).touch()
    return tmp_path


def labelled(document: Document, **labels: str) -> Document:
    changed = copy.deepcopy(document)
    changed["Config"]["Labels"] |= {f"com.docker.compose.{name}": value for name, value in labels.items()}
    return changed


def test_where_nothing_differs_compose_is_not_asked(folder: Path) -> None:
    compose = Renders({}, {"web": "h1"})
    assert not find(folder, project(), container(folder), compose=compose)
    assert compose.asked == []


def test_a_hash_alone_is_no_difference(folder: Path) -> None:
    assert not find(folder, project(), container(folder), compose=Renders({}, {"web": "of another version"}))


def test_a_setting_that_the_hash_excludes_is_no_difference(folder: Path) -> None:
    there = container(folder, User="odd")
    assert not find(folder, project(), there, compose=Renders({}, {"web": "h1"}))
    drift = find(folder, project(), there)
    assert [str(one) for one in drift.differences] == ["web: user: odd now, none after a start"]


def test_a_setting_that_is_changed_on_the_container_is_one_whatever_the_hash_says(folder: Path) -> None:
    there = container(folder)
    there["HostConfig"]["RestartPolicy"] = {"Name": "no"}
    there["HostConfig"]["Memory"] = 1000
    drift = find(folder, project(), there, compose=Renders({}, {"web": "h1"}))
    assert {one.item for one in drift.differences} == {"restart policy", "memory limit"}


def test_another_name_of_the_image_that_runs_is_no_difference(folder: Path) -> None:
    assert not find(folder, project(image="shop:same"), container(folder))
    (found,) = find(folder, project(image="shop:v2"), container(folder)).differences
    assert str(found) == "web: image: shop:v1 now, shop:v2 after a start"


def test_the_default_log_driver_of_the_engine_is_no_difference(folder: Path) -> None:
    there = container(folder)
    there["HostConfig"]["LogConfig"] = {"Type": "journald"}
    assert not find(folder, project(), there)
    there["HostConfig"]["LogConfig"] = {"Type": "syslog"}
    assert [one.item for one in find(folder, project(), there).differences] == ["log driver"]


def test_other_compose_files_are_proposed_and_tried(folder: Path) -> None:
    there = labelled(
        container(folder, Env=["DEBUG=1"]),
        **{"project.config_files": f"{folder}/docker-compose.yml,{folder}/prod.yml"},
    )
    both = {"docker-compose.yml:prod.yml": project(environment={"DEBUG": "1"})}
    hint = find(folder, project(), there, compose=Renders(both, {})).hint
    assert f"`COMPOSE_FILE=docker-compose.yml:prod.yml` into {folder}/.env, and nothing differs any more." in hint
    only_one = {"docker-compose.yml:prod.yml": project()}
    hint = find(folder, project(), there, compose=Renders(only_one, {})).hint
    assert "COMPOSE_FILE=docker-compose.yml:prod.yml" in hint
    assert "nothing differs" not in hint


def test_what_compose_does_not_see_is_put_right_by_new_containers(folder: Path) -> None:
    there = container(folder)
    there["NetworkSettings"]["Networks"]["guest"] = {}
    assert "run `docker compose up -d --force-recreate web` there" in find(folder, project(), there).hint


def test_a_folder_that_compose_cannot_read_is_told_with_what_its_containers_were_started_with(folder: Path) -> None:
    (folder / "docker-compose.yml").rename(folder / "stack.yml")
    there = labelled(container(folder), **{"project.config_files": f"{folder}/stack.yml"})
    engine = cast("DockerEngine", Engine(there))
    told = tell_origin(PlatformError("compose.missing", "There is none.", hint="Look."), engine, folder)
    assert (told.code, told.summary) == ("compose.missing", "There is none.")
    assert "COMPOSE_FILE=stack.yml" in told.hint
    other = PlatformError("compose.missing", "There is none.", hint="Look.")
    assert tell_origin(other, engine, folder / "elsewhere") is other


@pytest.mark.parametrize(
    ("content", "word", "found"),
    [
        ("hello", "swordfish", []),
        ("bye", "swordfish", ["web: text of greeting: is set now, has another text after a start"]),
        ("hello", "plaice", ["web: text of word: is set now, has another text after a start"]),
        ("hello", "", ["web: text of word: is set now, none after a start"]),
        ("hello", "${OTHER}", []),
    ],
)
def test_a_text_that_compose_has_copied_in_is_compared_with_the_file(
    folder: Path, content: str, word: str, found: list[str]
) -> None:
    made = project(configs=[{"source": "greeting"}, {"source": "lost"}], secrets=[{"source": "word"}])
    made["configs"] = {"greeting": {"content": content}, "lost": {"content": "x"}}
    made["secrets"] = {"word": {"environment": "WORD"}}
    (folder / ".env").write_text(f"WORD={word}\n" if word else "", encoding="utf-8")
    drift = find(folder, made, container(folder), compose=Renders({}, {"web": "h1"}))
    assert [str(one) for one in drift.differences] == found


def test_files_that_an_upgrade_has_left_are_not_proposed(folder: Path) -> None:
    left = folder / ".orchestrator" / "runs" / "r-1" / "compose.services.json"
    left.parent.mkdir(parents=True)
    left.touch()
    there = labelled(container(folder, User="1"), **{"project.config_files": str(left)})
    drift = find(folder, project(), there)
    assert [one.item for one in drift.differences] == ["user"]
    assert "COMPOSE_FILE" not in drift.hint


def test_another_env_file_a_shell_and_a_scale_are_told(folder: Path) -> None:
    there = labelled(container(folder, Env=["DEBUG=1"]), **{"project.environment_file": f"{folder}/prod.env"})
    hint = find(folder, project(), there, copy.deepcopy(there)).hint
    assert f"`--env-file {folder}/prod.env`: copy its lines into {folder}/.env" in hint
    assert "Write `scale: 2` for web" in hint
    assert "a variable of your shell into its .env" in hint
    assert "only if the files are meant, run `docker compose up -d` there" in hint


def test_a_service_of_a_profile_is_told_by_its_profile(folder: Path) -> None:
    everything = project()
    everything["services"]["tool"] = {"image": "tool", "profiles": ["debug"]}
    compose = Renders({"*": everything}, {})
    drift = find(folder, project(), container(folder), container(folder, service="tool"), compose=compose)
    assert [str(one) for one in drift.differences] == ["tool: service: it runs now, none after a start"]
    assert "COMPOSE_PROFILES=debug" in drift.hint


def test_an_app_of_another_folder_is_told_as_long_as_that_has_its_files(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    there = container(other)
    assert not find(folder / "here", project(), there)  # it was moved
    (other / "docker-compose.yml").touch()
    drift = find(folder / "here", project(), there)
    assert [one.item for one in drift.differences] == ["project's folder"]
    assert f"started from {other}" in drift.hint


def test_what_a_container_of_a_secret_label_says_is_learned_by_the_mask(folder: Path) -> None:
    compose = Renders({}, {})
    there = labelled(container(folder, Cmd=["serve", "--password", "tr0ub4dor&3"]))
    drift = find(folder, project(), there, compose=compose)
    assert "tr0ub4dor" not in compose.mask.text(str(drift))


@pytest.mark.parametrize(("names", "refused"), [(["other"], True), (["other", "shop"], False), ([], False)])
def test_a_project_under_another_name_is_found_by_its_folder(folder: Path, names: Sequence[str], refused: bool) -> None:
    engine = cast("DockerEngine", Engine(*(labelled(container(folder), project=name) for name in names)))
    if not refused:
        check_name(engine, "shop", folder, ["web"])
        return
    with pytest.raises(RefusedError, match="other") as caught:
        check_name(engine, "shop", folder, ["web"])
    assert "COMPOSE_PROJECT_NAME=other" in caught.value.hint
    assert "docker compose up" not in caught.value.message()
    check_name(engine, "shop", folder / "elsewhere", ["web"])
    check_name(engine, "shop", folder, ["worker"])
