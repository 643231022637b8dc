"""What lets a reader see that a record was altered, lost or put in by somebody else: hashes over all that was written.

Each record carries a link, the hash of itself and of the link before it; each run carries a seal, the hash of its own
values and of its last link. Who may write the journal may forge both: they tell damage, and edits by hand.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

Value = str | int | float | bytes | None


def build_record_hash(previous: str, values: Sequence[Value]) -> str:
    """The link of a record with these values, in the order of its columns, behind the link ``previous``."""
    return _hash([previous, *values])


def build_run_hash(last: str, run: Mapping[str, Value]) -> str:
    """The seal of a run with these values, whose last record has the link ``last``; empty where it has none."""
    return _hash([last, sorted((name, value) for name, value in run.items() if name != "seal")])


def find_damage(run: Mapping[str, Value], records: Iterable[Sequence[Value]]) -> str:
    """What is wrong with a run, as the end of a sentence; empty if nothing is.

    ``records``: the values of each, its number first after the run's id, and its link last, in their order.
    """
    last = ""
    for number, values in enumerate(records, 1):
        if values[1] != number:
            return f"record {number} of run {run['id']!r} is missing"
        if values[-1] != build_record_hash(last, values[:-1]):
            return f"record {number} of run {run['id']!r} is not as it was written"
        last = str(values[-1])
    if run["seal"] != build_run_hash(last, run):
        return f"run {run['id']!r} is not as it was written, or its last records are missing"
    return ""


def _hash(values: object) -> str:
    return hashlib.sha256(json.dumps(values, default=repr, separators=(",", ":")).encode()).hexdigest()
