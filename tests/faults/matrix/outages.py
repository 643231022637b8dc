"""Faults around the app: engine, registry, disks and database server, each in its own ways."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from unittest.mock import patch

from orchestrator.core.errors import DatabaseError, PlatformError
from orchestrator.core.model.stores import Session, StoreLoad
from orchestrator.journal.journal import Journal
from orchestrator.journal.reserve import Reserve
from tests.faults.matrix.ailments import AILMENTS, lose_snapshot
from tests.faults.matrix.scene import Scene
from tests.faults.matrix.variants import (
    ANY_LENGTH,
    BRIEF,
    DATABASE,
    FOR_GOOD,
    PASSING,
    Variant,
    altered,
    lose_engine,
    refused,
)

_MAKES_FILES = ("workloads.start_services", "workloads.start_job", "stage.open")
_STRANGER = Session(pid=4711, user="analyst", application="psql")


@contextmanager
def _restart_engine(scene: Scene) -> Iterator[None]:
    """All containers go down with it; those with a restart policy come back."""
    scene.world.reboot()
    scene.world.boots += 1
    with lose_engine(scene):
        yield


@contextmanager
def _fail_registry(scene: Scene, look: str, pull: str, said: str) -> Iterator[None]:
    not_resolved = PlatformError(look, f"The registry said {said}.")
    not_pulled = PlatformError(pull, f"Pulling failed: {said}.")
    with (
        refused(scene.world, ("images.resolve",), not_resolved),
        refused(scene.world, ("images.pull",), not_pulled),
    ):
        yield


# --- disks


@contextmanager
def _fill_images(scene: Scene) -> Iterator[None]:
    full, world = "no space left on device", scene.world
    with (
        altered(world, engine_free_bytes=0),
        refused(world, _MAKES_FILES, PlatformError("compose.failed", f"`docker compose` ended: {full}.")),
        refused(world, ("images.pull",), PlatformError("pull.no_space", f"Pulling failed: {full}.")),
        refused(world, ("images.keep",), PlatformError("engine.refused", f"It got no name: {full}.")),
    ):
        yield


@contextmanager
def _fill_data(scene: Scene, snapshot: bool = False) -> Iterator[None]:
    """With the ``snapshot`` the copy beside the database is gone, too."""
    if snapshot:
        lose_snapshot(scene)
    with altered(scene.world, database_free_bytes=0, data_disk_full=True):
        yield


@contextmanager
def _fill_backups(scene: Scene, seen_coming: bool) -> Iterator[None]:
    """What is held in reserve for the way back is all the room there is; the journal sees it coming, or does not."""
    journal = (Reserve, "free_bytes", lambda _: 0) if seen_coming else (Journal, "_commit", _overflow)
    with altered(scene.world, backup_free_bytes=0), patch.object(*journal):
        yield


_commit = Journal._commit


def _overflow(journal: Journal, change: Callable[[sqlite3.Connection], None]) -> None:
    if journal.path.with_name("reserve").exists():
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error
    _commit(journal, change)


# --- database server


@contextmanager
def _take_server_down(scene: Scene) -> Iterator[None]:
    with altered(scene.world, database_up=False):
        yield


@contextmanager
def _change_password(scene: Scene) -> Iterator[None]:
    """Of the app, too."""
    error = DatabaseError("database.authentication", "PostgreSQL does not let us in: password authentication failed.")
    with _take_server_down(scene), refused(scene.world, DATABASE, error):
        yield


@contextmanager
def _take_connections(scene: Scene) -> Iterator[None]:
    error = DatabaseError("database.full", "PostgreSQL has no connection left for us.")
    with altered(scene.world, database_full=True), refused(scene.world, DATABASE, error):
        yield


@contextmanager
def _hold_transaction(scene: Scene, lock: bool) -> Iterator[None]:
    world = scene.world
    load = StoreLoad(oldest=_STRANGER, oldest_s=900, free_connections=90)
    world.databases[world.live].sessions.append(_STRANGER)
    with altered(world, tables_locked=lock, database_load=load):
        yield
    for database in world.databases.values():
        database.sessions = [one for one in database.sessions if one is not _STRANGER]


_FULL_IMAGES = frozenset({"preflight", "rehearse", "pull", "migrate", "start", "commit", "rollback"})
_FULL_DATA = frozenset({"preflight", "rehearse", "migrate", "health", "commit", "rollback"})
_TAKES_LOCKS = frozenset({"preflight", "backup", "stop", "migrate"})
_NEEDS_NOBODY = frozenset({"preflight", "stop"})
_NOT_ON_THE_LAST_STEP = frozenset(
    {"check", "confirm", "preflight", "backup", "rehearse", "stop", "pull", "migrate", "start"}
)
_LOOK = partial(_fail_registry, look="image.unreachable")

OUTAGES = MappingProxyType(
    {
        "DKR": (
            Variant("unreachable", lose_engine, lengths=ANY_LENGTH),
            Variant("restarted", _restart_engine, lengths=BRIEF, either=True),
        ),
        "R4": (
            Variant("401", partial(_fail_registry, look="image.denied", pull="pull.denied", said="401")),
            Variant("403", partial(_fail_registry, look="image.denied", pull="pull.denied", said="403")),
            Variant("404", partial(_fail_registry, look="image.not_found", pull="pull.not_found", said="404")),
        ),
        "R5": (
            Variant("429", partial(_LOOK, pull="pull.rate_limited", said="429"), lengths=PASSING),
            Variant("500", partial(_LOOK, pull="pull.failed", said="500"), lengths=PASSING),
        ),
        "RB": (Variant("cut", partial(_LOOK, pull="pull.failed", said="unexpected EOF"), lengths=PASSING),),
        "NSB": (
            Variant("seen coming", partial(_fill_backups, seen_coming=True), lengths=FOR_GOOD),
            Variant(
                "overflowing", partial(_fill_backups, seen_coming=False), lengths=FOR_GOOD, bites=_NOT_ON_THE_LAST_STEP
            ),
        ),
        "NSD": (
            Variant("images", _fill_images, lengths=ANY_LENGTH, bites=_FULL_IMAGES),
            Variant("data", _fill_data, lengths=ANY_LENGTH, bites=_FULL_DATA),
            Variant("data, and no copy", partial(_fill_data, snapshot=True), bites=_FULL_DATA | {"restore"}),
        ),
        "PGD": (
            Variant("down", _take_server_down, lengths=ANY_LENGTH),
            Variant("password", _change_password),
        ),
        "PGB": (
            Variant("full", _take_connections, lengths=ANY_LENGTH),
            Variant("locked", partial(_hold_transaction, lock=True), lengths=PASSING, bites=_TAKES_LOCKS),
            Variant("open", partial(_hold_transaction, lock=False), lengths=PASSING, bites=_NEEDS_NOBODY),
        ),
        **AILMENTS,
    }
)

FAULTS = tuple(OUTAGES)
