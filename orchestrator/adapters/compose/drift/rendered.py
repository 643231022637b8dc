"""The items that a container would have if Compose made it now, from the project as it renders it; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from orchestrator.adapters.compose.drift.fields import as_number, as_objects, as_text, as_texts, undouble
from orchestrator.adapters.compose.drift.mounts import (
    describe_bind,
    describe_tmpfs,
    describe_volume,
    join_tmpfs,
    mark_read_only,
)
from orchestrator.adapters.compose.drift.running import YES_IN, read_network_mode
from orchestrator.adapters.compose.drift.service import find_links, find_ports, read_config, read_host, read_resources
from orchestrator.adapters.compose.drift.values import (
    ADDRESS,
    ALIAS,
    ANONYMOUS,
    LINK,
    MAC,
    MOUNT,
    NETWORK,
    NETWORK_MODE,
    RESTART,
    Item,
    Items,
    read_names,
    read_path,
    read_ports,
    read_size,
)
from orchestrator.adapters.compose.rendering import JsonObject, read_object, read_restart_policy, read_services
from orchestrator.adapters.compose.rendering import parse_rendering as parse
from orchestrator.adapters.docker.settings import ImageSettings


@dataclass(frozen=True)
class Rendered:
    """A rendering to read services from; ``resolve`` follows links of the host."""

    text: str
    project: JsonObject
    resolve: Callable[[str], str]

    @classmethod
    def of(cls, rendering: str, resolve: Callable[[str], str]) -> Rendered:
        """Parse it; Compose doubles the dollar signs of what it renders."""
        return cls(rendering, cast("JsonObject", undouble(parse(rendering))), resolve)

    @property
    def name(self) -> str:
        """Name of the project."""
        return str(self.project["name"])

    @property
    def services(self) -> dict[str, JsonObject]:
        """Its services."""
        return read_services(self.project)

    def count(self, service: str) -> int:
        """How many containers of a service there are to be."""
        said = self.services[service]
        deploy = read_object(said.get("deploy"))
        for number in (said.get("scale"), deploy.get("replicas")):
            if isinstance(number, int):
                return number
        return 1

    def read(self, service: str, image: ImageSettings | None) -> Items:
        """All items of a container of the service, made of this image; None where the engine has lost it."""
        said = self.services[service]
        mode = read_network_mode(as_text(said.get("network_mode")))
        return {
            **read_config(said, image, mode, self._name_image(service)),
            **read_host(said),
            **read_resources(said),
            Item(RESTART): self._find_policy(service),
            **{Item(MOUNT, target): value for target, value in self._find_mounts(service, image, ()).items()},
            **({Item(NETWORK_MODE): mode} if mode else self._read_networks(service)),
            **({} if mode else read_ports(find_ports(said))),
        }

    def _name_image(self, service: str) -> str:
        return as_text(self.services[service].get("image"))

    def _find_policy(self, service: str) -> str:
        policy = read_restart_policy(self.text, service)
        return f"{policy.name}:{policy.attempts}" if policy.attempts else policy.name

    def _find_mounts(self, service: str, image: ImageSettings | None, seen: tuple[str, ...]) -> dict[str, str]:
        said = self.services.get(service, {})
        found = {read_path(target): ANONYMOUS for target in (image.config.volumes if image else {})}
        for source in as_texts(said.get("volumes_from")):
            other = source.partition(":")[0]
            if other not in (*seen, service):
                found |= self._find_mounts(other, None, (*seen, service))
        found |= dict(self._mount(one) for one in as_objects(said.get("volumes")))
        for key in ("secrets", "configs"):
            found |= dict(self._find_files(key, said))
        for one in as_texts(said.get("tmpfs")):
            target, _, options = one.partition(":")
            found[read_path(target)] = describe_tmpfs(options)
        return found

    def _mount(self, one: JsonObject) -> tuple[str, str]:
        kind, source = as_text(one.get("type")), as_text(one.get("source"))
        if kind == "volume":
            part = as_text(read_object(one.get("volume")).get("subpath"))
            value = describe_volume(self._name("volumes", source), part) if source else ANONYMOUS
        elif kind == "bind":
            value = describe_bind(source, self.resolve)
        elif kind == "tmpfs":
            options = read_object(one.get("tmpfs"))
            value = describe_tmpfs(join_tmpfs(read_size(options.get("size")), as_number(options.get("mode"))))
        else:
            value = kind
        return read_path(as_text(one.get("target"))), mark_read_only(value, read_only=bool(one.get("read_only")))

    # Those of a variable or of a text are copied into the container: no mount.
    def _find_files(self, key: str, said: JsonObject) -> Iterator[tuple[str, str]]:
        folder = "/run/secrets/" if key == "secrets" else "/"
        known = read_object(self.project.get(key))
        for one in as_objects(said.get(key)):
            source = as_text(one.get("source"))
            file = as_text(read_object(known.get(source)).get("file"))
            target = as_text(one.get("target")) or source
            if file:
                place = target if target.startswith("/") else f"{folder}{target}"
                yield read_path(place), mark_read_only(describe_bind(file, self.resolve), read_only=True)

    def _name(self, key: str, source: str) -> str:
        return as_text(read_object(read_object(self.project.get(key)).get(source)).get("name")) or source

    def _read_networks(self, service: str) -> Items:
        said = self.services[service]
        found: Items = {}
        name_of_container = as_text(said.get("container_name"))
        networks = read_object(said.get("networks")) or {"default": None}
        for key, options in networks.items():
            name, asked = self._name("networks", key), read_object(options)
            found[Item(NETWORK, name)] = YES_IN
            aliases = {service, *as_texts(asked.get("aliases"))} - ({name_of_container} - {service})
            found |= {Item(ALIAS, f"{alias} in {name}"): YES_IN for alias in aliases}
            mac = as_text(asked.get("mac_address")) or (as_text(said.get("mac_address")) if len(networks) == 1 else "")
            if mac:
                found[Item(MAC, mac.lower())] = YES_IN
            for address in (as_text(asked.get("ipv4_address")), as_text(asked.get("ipv6_address"))):
                if address:
                    found[Item(ADDRESS, f"{address} in {name}")] = YES_IN
        return found | read_names(LINK, find_links(said))
