"""Words that tests need to build facts, where what is in them does not matter."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from orchestrator.adapters.postgres.model import DatabaseProperties, Inventory, PgChangeToken
from orchestrator.core.store_facts import BackupManifest

PROPERTIES = DatabaseProperties(
    version=150000,
    owner="app",
    encoding="UTF8",
    collate="C",
    ctype="C",
    tablespace="pg_default",
    connection_limit=-1,
    grants=None,
    settings=(),
)
INVENTORY = Inventory(relations={}, sequences={}, extensions={}, large_objects=0)
MARK = PgChangeToken(database="1", server_began="then", catalog="0", written=0, transactions=0)


def make_receipt(path: Path, taken_at: datetime, version: str = "v1.0.0") -> BackupManifest:
    """The receipt of a small backup."""
    return BackupManifest(
        path=path,
        sha256="ab" * 32,
        size_bytes=10,
        dump_bytes=100,
        rows={"public.t": 3},
        version=version,
        database="app",
        server_version="15.8",
        system_identifier="7",
        properties=PROPERTIES.model_dump(mode="json"),
        inventory=INVENTORY.model_dump(mode="json"),
        taken_at=taken_at,
        duration_s=0.5,
    )
