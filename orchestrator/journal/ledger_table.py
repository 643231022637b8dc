"""The table of the ledger, derived from records, so that links and seals cover it.

It is compared with what the records say whenever the file is opened.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.core.facts import Facts
from orchestrator.core.ledger import Artifact, Ledger
from orchestrator.journal.carry_over import derive_ledger, derive_other_data
from orchestrator.journal.record_rows import insert_record

LEDGER = "ledger"  # key of a payload: rows as they are from this record on
CARRIED = "carried"

LEDGER_TABLE = """
CREATE TABLE ledger (
  id TEXT PRIMARY KEY, run TEXT NOT NULL, store TEXT NOT NULL, kind TEXT NOT NULL, ref TEXT NOT NULL,
  state TEXT NOT NULL, replaces TEXT, needed_until TEXT NOT NULL
);
"""

_COLUMNS = tuple(Artifact.model_fields)
_UPSERT = (
    f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - all ours
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}"
    " WHERE state <> 'gone'"
)


def write_rows(connection: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Bring the table up to rows of a record, in the transaction that writes it."""
    connection.executemany(_UPSERT, [[row[name] for name in _COLUMNS] for row in rows])


def read_ledger(connection: sqlite3.Connection) -> Ledger:
    """All rows; in a file of an earlier format as they would be carried over."""
    if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'ledger'").fetchone() is None:
        return Ledger().joined(row for rows in derive_ledger(_read_facts(connection)).values() for row in rows)
    return Ledger(read_rows(connection))


def read_rows(connection: sqlite3.Connection) -> dict[str, Artifact]:
    """The rows of the table."""
    found = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM ledger ORDER BY rowid")  # noqa: S608 - all ours
    return {row["id"]: Artifact.model_validate(dict(row)) for row in found}


def derive_rows(connection: sqlite3.Connection) -> dict[str, Artifact]:
    """The rows that the table must have, from the records."""
    found = connection.execute(
        "SELECT payload FROM records JOIN runs ON runs.id = run_id"
        " WHERE instr(payload, ?) ORDER BY runs.rowid, seq", (f'"{LEDGER}": [',)
    )  # fmt: skip
    rows = (Artifact.model_validate(row) for one in found for row in json.loads(one["payload"]).get(LEDGER, ()))
    return dict(Ledger().joined(rows).rows)


def carry_over(connection: sqlite3.Connection) -> None:
    """Write what earlier formats knew into the ledger: a record for each run that has made something."""
    runs = _read_facts(connection)
    derived = derive_ledger(runs)
    rows = [row for of_run in derived.values() for row in of_run]
    for run, _, facts in runs:
        own = [row.model_dump(mode="json") for row in derived.get(run, ())]
        chosen = derive_other_data(run, facts, rows)
        if not own and chosen is None:
            continue
        payload = {"facts": {"other_data": chosen} if chosen else {}, LEDGER: own}
        last = connection.execute("SELECT MAX(at) FROM records WHERE run_id = ?", (run,)).fetchone()[0]
        insert_record(connection, run, (last, CARRIED, "", json.dumps(payload)))
        write_rows(connection, own)


def _read_facts(connection: sqlite3.Connection) -> Sequence[tuple[str, str | None, Mapping[str, Any]]]:
    """Id, verdict and facts of each run, the first one first."""
    runs = connection.execute("SELECT id, verdict FROM runs ORDER BY rowid").fetchall()
    return [(run["id"], run["verdict"], _join_facts(connection, run["id"])) for run in runs]


def _join_facts(connection: sqlite3.Connection, run_id: str) -> Mapping[str, Any]:
    facts = Facts()
    for row in connection.execute("SELECT payload FROM records WHERE run_id = ? ORDER BY seq", (run_id,)):
        facts = facts.joined(Facts(json.loads(row["payload"]).get("facts")))
    return facts.to_json()
