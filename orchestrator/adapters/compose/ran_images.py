"""Starting containers from the very images that ran, whatever their names lead to by now.

Compose finds an image by its name alone. A name that leads elsewhere is given back to the image that ran, and what it
led to meanwhile gets a name of ours, so that no pruning takes it. Where a digest is not known on this host any more,
the tag does, and failing that the id.
"""

import json
from collections.abc import Mapping

from orchestrator.adapters.compose.rendering import parse_rendering, read_services
from orchestrator.adapters.docker.engine import DockerEngine
from orchestrator.core.errors import PlatformError
from orchestrator.core.image_reference import Reference

_DISPLACED = "upgrade-orchestrator/displaced"


def hold_images(engine: DockerEngine, rendering: str, images: Mapping[str, str]) -> str:
    """The rendering with names that lead to these images; ``images``: service → id.

    Raises:
        PlatformError: ``image.missing``.
    """
    project = parse_rendering(rendering)
    known = read_services(project)
    changed = False
    for service, image_id in images.items():
        before = str(known[service].get("image") or "")
        name = _find_name(engine, Reference.parse(before), image_id)
        changed = changed or name != before
        known[service]["image"] = name
    return json.dumps(project, indent=2) if changed else rendering


def _find_name(engine: DockerEngine, reference: Reference, image_id: str) -> str:
    if _leads_to(engine, str(reference), image_id):
        return str(reference)
    if engine.find_image(image_id) is None:
        raise PlatformError(
            "image.missing",
            f"The image {reference}, which ran as {image_id}, is not on this host any more.",
            hint="Bring it back with `docker pull` by its digest, or with `docker load` from a copy of yours.",
        )
    if not reference.tag:
        return image_id
    if not _leads_to(engine, reference.named, image_id):
        _keep_displaced(engine, reference.named)
        engine.tag(image_id, reference.named)
    # A digest is given to an image by a download only.
    return reference.named


def _leads_to(engine: DockerEngine, name: str, image_id: str) -> bool:
    found = engine.find_image(name) if name else None
    return found is not None and found.id == image_id


def _keep_displaced(engine: DockerEngine, name: str) -> None:
    other = engine.find_image(name)
    if other is not None:
        engine.tag(other.id, f"{_DISPLACED}:{other.id.rpartition(':')[2][:12]}")
