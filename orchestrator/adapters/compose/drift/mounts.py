"""What is mounted into a container, in one spelling for what is there and what is rendered; pure."""

from collections.abc import Callable

from orchestrator.adapters.compose.drift.values import ANONYMOUS, MOUNT, Item, Items, read_path
from orchestrator.adapters.docker.settings import ContainerSettings

_ANONYMOUS_CHARACTERS = 64
_DESKTOP = "/host_mnt"


def read_mounts(container: ContainerSettings, resolve: Callable[[str], str]) -> Items:
    """The mounts that a container has."""
    asked = {read_path(one.target): one for one in container.host_config.mounts}
    found: Items = {
        Item(MOUNT, read_path(target)): describe_tmpfs(options)
        for target, options in container.host_config.tmpfs.items()
    }
    for mount in container.mounts:
        target = read_path(mount.destination)
        options = asked.get(target)
        if mount.type == "bind":
            value = describe_bind(mount.source.removeprefix(_DESKTOP), resolve)
        elif mount.type == "tmpfs":
            size, mode = (options.tmpfs_options.size_bytes, options.tmpfs_options.mode) if options else (0, 0)
            value = describe_tmpfs(join_tmpfs(size, mode))
        elif mount.type == "volume":
            value = (
                ANONYMOUS
                if _is_anonymous(mount.name)
                else describe_volume(mount.name, options.volume_options.subpath if options else "")
            )
        else:
            value = mount.type
        found[Item(MOUNT, target)] = mark_read_only(value, read_only=not mount.rw)
    return found


def describe_volume(name: str, part: str) -> str:
    """A volume, and which folder of it."""
    return f"volume {name}" + (f", its {part}" if part else "")


def describe_bind(source: str, resolve: Callable[[str], str]) -> str:
    """A file or folder of the host, whatever links lead to it."""
    return f"bind {resolve(read_path(source))}"


def describe_tmpfs(options: str) -> str:
    """Memory, and how much of it."""
    return f"tmpfs {options}".rstrip()


def join_tmpfs(size_bytes: int, mode: int) -> str:
    """Options of a tmpfs as one text."""
    return ",".join(
        text for text in (f"size={size_bytes}" if size_bytes else "", f"mode={mode:o}" if mode else "") if text
    )


def mark_read_only(value: str, *, read_only: bool) -> str:
    """A mount with whether it can be written."""
    return f"{value} (read-only)" if read_only and value != ANONYMOUS else value


def _is_anonymous(name: str) -> bool:
    return len(name) == _ANONYMOUS_CHARACTERS and not set(name) - set("0123456789abcdef")
