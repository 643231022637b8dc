"""Many cases on all cores: each worker is a fork with a place of its own."""

from __future__ import annotations

import gc
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

CaseT = TypeVar("CaseT")
PlaceT = TypeVar("PlaceT")

Found = list[tuple[CaseT, list[str]]]

_WORKERS = os.cpu_count() or 1


def in_parallel(
    cases: Sequence[CaseT], make_place: Callable[[int], PlaceT], judge: Callable[[PlaceT, CaseT], list[str]]
) -> Found[CaseT]:
    """What is wrong with each case, an empty list where nothing is; in the order of the workers.

    A worker that breaks down is told of at the case in which it did.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(_WORKERS)]
        children = [
            _start(file, cases[number::_WORKERS], partial(make_place, number), judge)
            for number, file in enumerate(files)
        ]
        for child in children:
            os.waitpid(child, 0)
        return [one for file in files for one in pickle.loads(file.read_bytes())]  # noqa: S301 - our own child's


def _start(
    file: Path,
    cases: Sequence[CaseT],
    make_place: Callable[[], PlaceT],
    judge: Callable[[PlaceT, CaseT], list[str]],
) -> int:
    child = os.fork()
    if child:
        return child
    found: Found[CaseT] = []
    gc.freeze()  # what is there stays as it is; children copy none of it
    try:
        place = make_place()
        for case in cases:
            found.append((case, ["it was not judged to its end"]))
            found[-1] = (case, judge(place, case))
    except BaseException:  # noqa: BLE001 - it is told in the parent, and must not go on in its tests
        found.append((cases[len(found) - 1], [traceback.format_exc()]))
    finally:
        file.write_bytes(pickle.dumps(found))
        os._exit(0)
