"""Where backups, images and copies go, and whether there is room for them."""

from orchestrator.core.errors import RefusedError
from states.shared.checks.surroundings import StoreSurroundings, Surroundings

_RESERVE_BYTES = 256 * 1024**2


def check_backup_folder(around: Surroundings) -> None:
    """A backup can be written."""
    folder = around.ctx.ports.backups.inspect_folder()
    if folder.problem:
        raise RefusedError(
            "refused.backup_folder",
            f"The backup folder {folder.path} cannot be used: {folder.problem}.",
            hint="Make it writable for this user, or name another under `backups: directory:`.",
        )


def check_room_for_backups(around: StoreSurroundings) -> None:
    """A dump fits into the backup folder."""
    free_bytes = around.ctx.ports.backups.inspect_folder().free_bytes
    _require_room("the backup folder", free_bytes, around.facts.size_bytes + _RESERVE_BYTES)


def check_room_for_images(around: Surroundings) -> None:
    """A new image fits into the engine's store."""
    _require_room("the engine's image store", around.engine.free_bytes, _RESERVE_BYTES)


# The copy at `stop`, and a restore beside it if that copy could not be used.
def check_room_for_copy(around: StoreSurroundings) -> None:
    """A copy of the database and a restore fit beside it."""
    needed_bytes = 2 * around.facts.size_bytes + _RESERVE_BYTES
    _require_room("the database server", around.facts.free_bytes, needed_bytes)


def _require_room(place: str, free_bytes: int | None, needed_bytes: int) -> None:
    if free_bytes is not None and free_bytes < needed_bytes:
        raise RefusedError(
            "refused.no_space",
            f"There is not enough room for {place}: {_mib(needed_bytes)} needed, {_mib(free_bytes)} free.",
            hint="Make room; nothing is deleted automatically to make it.",
        )


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:,.0f} MiB"
