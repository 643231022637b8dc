"""Measure the outage from outside: first failure to first good answer of the right version."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deploy.demo.bed import BedError
from deploy.demo.oracle import PROBE_TIMEOUT_S, Prober, Sample

_UP_S = 0.02
_DOWN_S = 0.004
_GOOD_WITHIN_S = 120.0


@dataclass(frozen=True)
class Outage:
    """Marks of `time.monotonic()`. ``spans`` is how often the app went away; 1 unless it came back only for a while."""

    began: float
    ended: float
    spans: int

    @property
    def seconds(self) -> float:
        """Seconds from the first failure to the good answer after which there was no failure any more."""
        return self.ended - self.began


class Watch(Prober):
    """Looks every few milliseconds while the app is away, and less often while it is there, not to be a load.

    The ledger's health address says its version, so that one request tells both.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url, period_s=_UP_S)

    def _act(self) -> None:
        sample = _look(self._host, self._port)
        self._samples.append(sample)
        self._period_s = _UP_S if sample.up else _DOWN_S

    def await_good(self, version: str, since: float) -> None:
        """Wait until the app was seen well, in this version, at a look that began after ``since``."""
        until = time.monotonic() + _GOOD_WITHIN_S
        while not any(_is_good(sample, version) and sample.at > since for sample in self._samples[-3:]):
            if time.monotonic() > until:
                raise BedError(f"the app did not answer as {version} within {_GOOD_WITHIN_S:g} s")
            time.sleep(_UP_S)


def watch_outage(url: str, *, before: str, after: str, act: Callable[[], None]) -> Outage:
    """Let ``act`` take the app from version ``before`` to ``after``; when users were without it."""
    with Watch(url) as watch:
        watch.await_good(before, time.monotonic())
        began = time.monotonic()
        act()
        watch.await_good(after, time.monotonic())
    return find_outage([sample for sample in watch.samples if sample.at >= began], after)


def find_outage(samples: Sequence[Sample], version: str) -> Outage:
    """Find the outage in samples that begin with a good one; a good answer of another version does not end it."""
    failures = [number for number, sample in enumerate(samples) if not sample.up]
    if not failures:
        raise BedError("the app was never away, so it was not upgraded as it was to be")
    good = next((s for s in samples[failures[-1] :] if _is_good(s, version)), None)
    if good is None:
        raise BedError(f"the app was not seen well in version {version} after its outage")
    spans = sum(number - 1 not in failures for number in failures)
    return Outage(samples[failures[0]].at, good.at, spans)


def _is_good(sample: Sample, version: str) -> bool:
    return sample.up and sample.version == version


def _look(host: str, port: int) -> Sample:
    at = time.monotonic()
    connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse()
        said = json.loads(answer.read())
        return Sample(at, answer.status == http.client.OK, said.get("version"))
    except (OSError, http.client.HTTPException, ValueError):
        return Sample(at, up=False)
    finally:
        connection.close()
