"""Read runs of a journal for the run page: documents for programs and people, and a stream of them during a run.

The journal is opened for reading alone, and only for as long as it takes to read it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from orchestrator.core.errors import JournalError
from orchestrator.core.ports.recovery import Recovery
from orchestrator.journal.journal import Journal, Record, Run
from orchestrator.reports.report import RunReport, build_report
from webapi.version import format_moment

HISTORY_MAX = 200
STREAMS_MAX = 12
STREAMS_EACH = 6  # of one address: as many connections as a browser opens to one host
STREAM_S = 600.0
_LOOK_EVERY_S = 0.4
_BEAT_EVERY_LOOKS = 12

Document = dict[str, Any]


class Runs:
    """The runs of one journal's folder. Raises `JournalError` where it cannot be read."""

    def __init__(self, directory: Path, recovery: Recovery) -> None:
        self._directory = directory
        self._recovery = recovery
        self._ended: dict[str, Document] = {}  # what is over does not change, and there may be hundreds

    def overview(self) -> Document:
        """Return all runs in short, newest first, and the newest one in full; empty where there was none yet."""
        journal = Journal.open_existing(self._directory)
        if journal is None:
            return {"runs": [], "newest": None}
        with closing(journal):
            runs = journal.runs()[:HISTORY_MAX]
            summaries = [self._ended.get(run.id) or self._summarize(journal, run) for run in runs]
            newest = self._detail(runs[0], journal.records(runs[0].id)) if runs else None
        return {"runs": summaries, "newest": newest}

    def find(self, run_id: str) -> Document | None:
        """Return one run in full."""
        journal = Journal.open_existing(self._directory)
        if journal is None:
            return None
        with closing(journal):
            run = journal.find_run(run_id)
            return self._detail(run, journal.records(run_id)) if run else None

    def _summarize(self, journal: Journal, run: Run) -> Document:
        summary = _summarize(build_report(run, journal.records(run.id), self._recovery))
        if run.verdict is not None:
            self._ended[run.id] = summary
        return summary

    def _detail(self, run: Run, records: tuple[Record, ...]) -> Document:
        return _detail(build_report(run, records, self._recovery), records)

    def count(self) -> tuple[int, int, int] | None:
        """Return a number that changes with every write; None where there is no journal."""
        journal = Journal.open_existing(self._directory)
        if journal is None:
            return None
        with closing(journal):
            return journal.count()


class Stream:
    """Server-sent events: the overview after every write. Bounded in number and in time.

    No client takes all the places: the oldest stream of an address that opens too many ends in favour of the new one.
    """

    def __init__(self, runs: Runs, stopping: threading.Event) -> None:
        self._runs = runs
        self._stopping = stopping
        self._lock = threading.Lock()
        self._seats: list[_Seat] = []

    def open(self, client: str = "") -> Iterator[bytes] | None:
        """Return the events, from the present state on, for the address ``client``; None where too many clients
        listen.
        """
        with self._lock:
            own = [seat for seat in self._seats if seat.client == client]
            if len(own) >= STREAMS_EACH:
                own[0].ended.set()
                self._seats.remove(own[0])
            elif len(self._seats) >= STREAMS_MAX:
                return None
            seat = _Seat(client, self)
            self._seats.append(seat)
        return seat

    def leave(self, seat: _Seat) -> None:
        """Free the place; repeating is harmless."""
        with self._lock:
            if seat in self._seats:
                self._seats.remove(seat)

    # A comment now and then finds out whether somebody still listens; after a while the browser comes back by itself.
    def events(self, ended: threading.Event) -> Iterator[bytes]:
        """Yield the events of one client, until ``ended`` is set, the server stops or the time of a stream is over."""
        yield b"retry: 2000\n\n"
        seen: object = ()
        for look in range(int(STREAM_S / _LOOK_EVERY_S)):
            try:
                counted = self._runs.count()
                if counted != seen:
                    yield b"data: " + json.dumps(self._runs.overview()).encode("ascii") + b"\n\n"
                    seen = counted
                elif look % _BEAT_EVERY_LOOKS == 0:
                    yield b": still here\n\n"
            except JournalError as error:
                yield b"event: problem\ndata: " + json.dumps(error.summary).encode("ascii") + b"\n\n"
            if self._stopping.wait(_LOOK_EVERY_S) or ended.is_set():
                return


class _Seat:
    """An iterator that frees its place when it is over or its listener is gone."""

    def __init__(self, client: str, stream: Stream) -> None:
        self.client = client
        self.ended = threading.Event()
        self._stream = stream
        self._events = stream.events(self.ended)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Free the place; the server calls this in any case."""
        self._stream.leave(self)


def _summarize(report: RunReport) -> Document:
    run = report.run
    return {
        "id": run.id,
        "operation": str(run.request.get("operation", "upgrade")),
        "from": report.from_version,
        "to": report.to_version,
        "verdict": run.verdict.value if run.verdict else None,
        "beganAt": format_moment(run.began_at),
        "endedAt": format_moment(run.ended_at) if run.ended_at else None,
        "outageSeconds": report.outage_s,
    }


def _detail(report: RunReport, records: tuple[Record, ...]) -> Document:
    run = report.run
    return {
        **_summarize(report),
        "reason": run.reason,
        "endState": run.end_state,
        "at": _find_position(run, records),
        "states": [vars(line) for line in report.states],
        "next": list(report.next_steps) if run.verdict else [],
    }


def _find_position(run: Run, records: tuple[Record, ...]) -> Document | None:
    placed = [record for record in records if record.state]
    if run.verdict is not None or not placed:
        return None
    last = placed[-1]
    if last.record == "left":
        return {"state": last.payload["to"], "since": format_moment(last.at), "deadlineSeconds": None}
    visits = [record for record in placed if record.record == "entered" and record.state == last.state]
    began = visits[-1] if visits else last
    return {
        "state": last.state,
        "since": format_moment(began.at),
        "deadlineSeconds": began.payload.get("deadline_s"),
    }
