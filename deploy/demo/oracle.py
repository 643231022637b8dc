"""Outside witnesses of an upgrade: acknowledged entries, and the times at which users could reach the app.

They talk to the app as a user does and keep what they saw in their own memory, so that no mistake of the app,
of the database or of the upgrade can hide there.
"""

import http.client
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

REQUEST_TIMEOUT_S = 1.0
PROBE_TIMEOUT_S = 5.0  # an app that is down refuses at once; a slow one on a busy host is not down
JOIN_TIMEOUT_S = 10.0
PAGE = 1000

_UNREACHABLE = (OSError, http.client.HTTPException, ValueError)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An entry whose writer was told that it is saved; `at` is `time.monotonic()` seconds."""

    id: int
    hash: str
    body: str
    at: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the app, begun at `at` (`time.monotonic()` seconds); `version` as the app gave it."""

    at: float
    up: bool
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which every look gave the same answer; seconds of `time.monotonic()`."""

    up: bool
    start: float
    end: float


class _Witness(ABC):
    """A thread that acts at a steady rate until it is stopped."""

    def __init__(self, base_url: str, period_s: float) -> None:
        address = urlsplit(base_url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._period_s = period_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def start(self) -> None:
        """Begin; once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the request in flight; raises `TimeoutError` when the thread does not end."""
        self._stopping.set()
        self._thread.join(JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._thread.name} did not end within {JOIN_TIMEOUT_S} s")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self._act()
            due = max(due + self._period_s, time.monotonic() - self._period_s)
            self._stopping.wait(max(0.0, due - time.monotonic()))

    @abstractmethod
    def _act(self) -> None:
        """Do one round."""


class Writer(_Witness):
    """A user who never stops writing: posts entry after entry, and the same again until it is acknowledged.

    An entry whose answer was lost may be in the ledger twice; only what was acknowledged counts.
    """

    def __init__(self, base_url: str, *, per_second: float = 50.0, name: str = "writer") -> None:
        super().__init__(base_url, 1.0 / per_second)
        self._name = name
        self._number = 1
        self._acknowledged: list[Acknowledged] = []
        self.failures = 0

    @property
    def acknowledged(self) -> Sequence[Acknowledged]:
        """Return the entries acknowledged up to now, oldest first; a copy."""
        return tuple(self._acknowledged)

    def await_acknowledged(self, count: int, timeout_s: float) -> None:
        """Wait until `count` entries more are acknowledged; raises `TimeoutError`."""
        goal = len(self._acknowledged) + count
        deadline = time.monotonic() + timeout_s
        while len(self._acknowledged) < goal:
            if time.monotonic() > deadline:
                raise TimeoutError(f"fewer than {count} entries were acknowledged in {timeout_s} s")
            time.sleep(0.01)

    def _act(self) -> None:
        body = f"{self._name} {self._number}"
        try:
            status, document = _call(self._host, self._port, "POST", "/api/entries", {"body": body}, REQUEST_TIMEOUT_S)
        except _UNREACHABLE:
            self.failures += 1
            return
        if status != http.HTTPStatus.CREATED:
            self.failures += 1
            return
        self._acknowledged.append(Acknowledged(int(str(document["id"])), str(document["hash"]), body, time.monotonic()))
        self._number += 1


class Prober(_Witness):
    """A user who looks every 20 ms whether the app is healthy and which version it says it is."""

    def __init__(self, base_url: str, *, period_s: float = 0.02) -> None:
        super().__init__(base_url, period_s)
        self._samples: list[Sample] = []

    @property
    def samples(self) -> Sequence[Sample]:
        """Return the samples up to now, oldest first; a copy."""
        return tuple(self._samples)

    @property
    def versions(self) -> list[str]:
        """Versions in the order in which the healthy app gave them, without repetition."""
        return changes(sample.version for sample in self.samples if sample.up and sample.version)

    def unreachable_s(self, start: float, end: float) -> float:
        """Seconds between two marks (`time.monotonic()`) in which the app was not healthy."""
        return unreachable_s(find_spans(self.samples, until=end), start, end)

    def _act(self) -> None:
        self._samples.append(look(self._host, self._port))


def look(host: str, port: int) -> Sample:
    """Ask for health and version on one fresh connection."""
    at = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        status, _ = _exchange(connection, "GET", "/api/health", None)
        _, document = _exchange(connection, "GET", "/api/version", None)
    except _UNREACHABLE:
        return Sample(at, up=False)
    finally:
        connection.close()
    version = document.get("current")
    return Sample(at, status == http.HTTPStatus.OK, version if isinstance(version, str) else None)


def find_spans(samples: Sequence[Sample], until: float) -> list[Span]:
    """Join samples into spans: a sample holds until the next one, and the last one until `until`."""
    spans: list[Span] = []
    for index, sample in enumerate(samples):
        end = samples[index + 1].at if index + 1 < len(samples) else max(until, sample.at)
        if spans and spans[-1].up == sample.up:
            spans[-1] = Span(sample.up, spans[-1].start, end)
        else:
            spans.append(Span(sample.up, sample.at, end))
    return spans


def unreachable_s(spans: Iterable[Span], start: float, end: float) -> float:
    """Seconds of down spans that lie between `start` and `end`."""
    return sum(max(0.0, min(span.end, end) - max(span.start, start)) for span in spans if not span.up)


def changes(values: Iterable[str]) -> list[str]:
    """Values in order, each run of equal ones as one."""
    found: list[str] = []
    for value in values:
        if not found or found[-1] != value:
            found.append(value)
    return found


def missing(acknowledged: Iterable[Acknowledged], found: Mapping[int, str]) -> list[Acknowledged]:
    """Acknowledged entries that `found` (id to hash) lacks: gone, or another has taken their place."""
    return [entry for entry in acknowledged if found.get(entry.id) != entry.hash]


def read_entries(base_url: str, timeout_s: float = 10.0) -> dict[int, str]:
    """Read the whole ledger as id to hash; raises `OSError`, `http.client.HTTPException` or `ValueError`."""
    found: dict[int, str] = {}
    for page in _pages(base_url, timeout_s):
        found.update(page)
    return found


def _pages(base_url: str, timeout_s: float) -> Iterator[dict[int, str]]:
    address = urlsplit(base_url)
    after = 0
    while True:
        path = f"/api/entries?after={after}&limit={PAGE}"
        status, document = _call(address.hostname or "", address.port or 80, "GET", path, None, timeout_s)
        entries = document.get("entries")
        if status != http.HTTPStatus.OK or not isinstance(entries, list):
            raise ValueError(f"{base_url}{path} answers {status}: {document}")
        if not entries:
            return
        yield {entry["id"]: entry["hash"] for entry in entries}
        after = entries[-1]["id"]


def _call(
    host: str, port: int, method: str, path: str, body: dict[str, str] | None, timeout_s: float
) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        return _exchange(connection, method, path, body)
    finally:
        connection.close()


def _exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, str] | None
) -> tuple[int, dict[str, object]]:
    headers = {} if body is None else {"Content-Type": "application/json"}
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    response = connection.getresponse()
    document = json.loads(response.read())
    if not isinstance(document, dict):
        raise ValueError(f"{path} answers no JSON object")  # noqa: TRY004 - what it holds is wrong, not its type
    return response.status, document
