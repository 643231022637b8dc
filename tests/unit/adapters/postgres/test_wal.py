"""Which databases were written to, as ``pg_waldump`` of several versions prints it."""

import pytest

from orchestrator.adapters.postgres.wal import LogReader, find_distance

HEAD = "rmgr: {manager:<11} len (rec/tot):     54/  1958, tx:        {transaction}, lsn: 0/01943550, prev 0/01943520, "


def line(manager: str, rest: str, *, transaction: int = 726) -> bytes:
    return f"{HEAD.format(manager=manager, transaction=transaction)}desc: {rest}\n".encode()


def read(*lines: bytes) -> LogReader:
    reader = LogReader()
    for chunk in lines:
        reader.feed(chunk)
    return reader


@pytest.mark.parametrize(
    ("manager", "rest"),
    [
        ("Heap", "INSERT off 10 flags 0x01, blkref #0: rel 1663/16384/16390 blk 14 FPW"),
        ("Heap", "INSERT off: 10, flags: 0x01, blkref #0: rel 1663/16384/16390 blk 14 FPW"),
        ("Heap", "INSERT+INIT off 1 flags 0x08, blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap", "HOT_UPDATE off 1 xmax 735 flags 0x40 ; new off 2, blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap", "TRUNCATE nrelids 1, blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap2", "MULTI_INSERT+INIT 6 tuples flags 0x02, blkref #0: rel 1663/16384/1249 blk 17"),
        ("Sequence", "LOG rel 1663/16384/16395, blkref #0: rel 1663/16384/16395 blk 0"),
        ("XLOG", "FPI , blkref #0: rel 1663/16384/16399 blk 0 FPW"),
        ("Generic", "Generic offset 24, blkref #0: rel 1663/16384/16399 blk 0"),
        ("custom128", "UNKNOWN (10), blkref #0: rel 99/16384/16399 fork vm blk 0"),
        ("Heap", "INSERT off 1, blkref #0: rel 1663/16384/2619 blk 1, blkref #1: rel 1663/16384/16390 blk 1"),
    ],
)
def test_a_change_of_contents_is_told_with_its_database(manager: str, rest: str) -> None:
    assert read(line(manager, rest)).written == {16384}


@pytest.mark.parametrize(
    ("manager", "rest"),
    [
        ("Btree", "INSERT_LEAF off 246, blkref #0: rel 1663/16384/2703 blk 2 FPW"),
        ("Heap", "INPLACE off 3, blkref #0: rel 1663/16384/1259 blk 0"),
        ("Heap", "LOCK off 1: xid 740: flags 0x00 LOCK_ONLY EXCL_LOCK , blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap", "UPDATE off 2 xmax 735, blkref #0: rel 1663/16384/2619 blk 1"),
        ("Heap", "INSERT off 2 flags 0x00, blkref #0: rel 1664/0/1262 blk 0"),
        ("Heap2", "PRUNE latestRemovedXid 730 nredirected 0 ndead 5, blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap2", "PRUNE_ON_ACCESS snapshotConflictHorizon: 752, blkref #0: rel 1663/16384/16390 blk 0"),
        ("Heap2", "VISIBLE cutoff xid 0 flags 0x03, blkref #0: rel 1663/16384/16390 fork vm blk 0"),
        ("XLOG", "FPI_FOR_HINT , blkref #0: rel 1663/16384/16390 blk 0 FPW"),
        ("XLOG", "CHECKPOINT_ONLINE redo 0/1943550; tli 1; prev tli 1"),
        ("Standby", "RUNNING_XACTS nextXid 727 latestCompletedXid 726 oldestRunningXid 727"),
        ("Database", "CREATE_FILE_COPY copy dir 1663/16384 to 1663/16400"),
    ],
)
def test_upkeep_and_what_is_shared_is_no_change_of_a_database(manager: str, rest: str) -> None:
    reader = read(line(manager, rest))
    assert (reader.written, reader.records) == (set(), 1)


def test_lines_come_in_any_pieces() -> None:
    output = line("Heap", "DELETE off 1, blkref #0: rel 1663/7/16390 blk 0") * 3
    reader = read(*(output[at : at + 7] for at in range(0, len(output), 7)))
    assert (reader.written, reader.records) == ({7}, 3)


def test_a_transaction_of_which_only_the_commit_is_logged_is_silent() -> None:
    reader = read(
        line("Heap", "DELETE off 1, blkref #0: rel 1663/7/16390 blk 0", transaction=5),
        line("Transaction", "COMMIT 2026-11-30 22:29:59.398469 UTC", transaction=5),
        line("Transaction", "COMMIT 2026-11-30 22:29:59.398469 UTC; subxacts: 7", transaction=6),
        line("Transaction", "ABORT 2026-11-30 22:29:59.398469 UTC", transaction=8),
        line("Transaction", "COMMIT 2026-11-30 22:29:59.398469 UTC", transaction=9),
    )
    assert reader.silent == 1


def test_a_name_that_looks_like_a_record_hides_none() -> None:
    false = "RESTORE_POINT x\nrmgr: Btree       len (rec/tot):     54/  1958, tx:        1, lsn: 0/1, desc: VACUUM"
    change = line("Heap", "DELETE off 1, blkref #0: rel 1663/7/16390 blk 0")
    assert read(line("XLOG", false), change).written == {7}


def test_a_line_of_any_length_costs_time_in_proportion() -> None:
    reader = read(b"rmgr: Heap len (rec/tot): 1/1" + b", tx: 1" * 100_000 + b"\n", b"x" * 1_000_000 + b"\n")
    assert reader.records == 0


def test_positions_are_numbers_of_64_bits() -> None:
    assert find_distance("0/FFFFFFF8", "1/8") == 16
