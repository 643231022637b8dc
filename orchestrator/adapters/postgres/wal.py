"""What the server's write-ahead log says of a stretch of time: which databases were written to.

The server's own reader, ``pg_waldump``, prints one record a line; nothing here depends on a setting, for a server that
did not log a change of a table could not recover it either.
"""

import re

# Fields of a line: resource manager, transaction, then what was done and to which blocks of which relations.
_RECORD = re.compile(
    rb"rmgr: (\S+) +len \(rec/tot\): +\d+/ *\d+, tx: +(\d+), lsn: [0-9A-F/]+, prev [0-9A-F/]+, desc: (\S+)"
)
_RELATION = re.compile(rb"blkref #\d+: rel \d+/(\d+)/(\d+)")
_BLOCKS = b", blkref #"
# An index follows its table, which has records of its own.
_INDEXES = frozenset({b"Btree", b"Hash", b"Gin", b"Gist", b"SPGist", b"BRIN"})
# What reading and tidying up leaves: hints, pruned, frozen or marked pages, row locks, numbers that are kept in place.
_UPKEEP = {
    b"Heap": frozenset({b"LOCK", b"INPLACE"}),
    b"Heap2": frozenset(
        {
            b"PRUNE",
            b"PRUNE_ON_ACCESS",
            b"PRUNE_VACUUM_SCAN",
            b"PRUNE_VACUUM_CLEANUP",
            b"VACUUM",
            b"VISIBLE",
            b"FREEZE_PAGE",
            b"CLEAN",
            b"CLEANUP_INFO",
            b"LOCK_UPDATED",
        }
    ),
    b"XLOG": frozenset({b"FPI_FOR_HINT"}),
}
# pg_statistic and pg_statistic_ext_data with their TOAST tables, as ANALYZE and so autovacuum writes them.
_STATISTICS = frozenset({b"2619", b"2840", b"3429", b"3430"})
_SHARED = 0


def find_distance(start: str, end: str) -> int:
    """Bytes of log between two positions."""
    return _to_number(end) - _to_number(start)


class LogReader:
    """Takes the lines as they come; ``written`` are the numbers of the databases whose contents changed.

    ``silent``: transactions that were committed and left nothing but that, as those on unlogged and temporary tables.
    """

    def __init__(self) -> None:
        self.records = 0
        self.written: set[int] = set()
        self._rest = b""
        self._told: set[bytes] = set()
        self._committed: set[bytes] = set()

    @property
    def silent(self) -> int:
        """How many."""
        return len(self._committed - self._told)

    def feed(self, chunk: bytes) -> None:
        """Take the next part of the output."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._read(line)

    def _read(self, line: bytes) -> None:
        record = _RECORD.match(line)
        if record is None:
            return
        self.records += 1
        manager, transaction, action = record.groups()
        action = action.partition(b"+")[0]
        if manager == b"Transaction":
            if action == b"COMMIT" and b"subxacts:" not in line:
                self._committed.add(transaction)
            return
        if _BLOCKS not in line:
            return
        self._told.add(transaction)
        if manager not in _INDEXES and action not in _UPKEEP.get(manager, ()):
            found = _RELATION.findall(line)
            self.written |= {int(database) for database, relation in found if relation not in _STATISTICS} - {_SHARED}


def _to_number(position: str) -> int:
    high, _, low = position.partition("/")
    return (int(high, 16) << 32) + int(low, 16)
