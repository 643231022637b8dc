"""Run blocking calls that know no time limit aside, so that a deadline or a signal can leave them."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Generic, TypeVar

from orchestrator.core.deadline import Deadline

T = TypeVar("T")


class Flow(Generic[T]):
    """Hands over the items that ``produce`` yields, from a thread of its own.

    A call that hangs in the kernel is left behind when the time is over; ``cancel`` may end it where that
    is possible. The thread is a daemon: it never keeps the process from ending.
    """

    def __init__(self, produce: Callable[[], Iterator[T]], cancel: Callable[[], None] = lambda: None) -> None:
        self._produce = produce
        self._cancel = cancel
        self._arrived: queue.SimpleQueue[tuple[T] | BaseException | None] = queue.SimpleQueue()

    def read(self, deadline: Deadline) -> Generator[T, None, None]:
        """Yield the items as they arrive.

        Raises:
            DeadlineExceededError, InterruptedByOperatorError: as `Deadline.check`.
            BaseException: any error of ``produce``.
        """
        threading.Thread(target=self._run, daemon=True).start()
        with deadline.guarding(self._abort):
            while (arrived := self._arrived.get()) is not None:
                if isinstance(arrived, BaseException):
                    raise arrived
                yield arrived[0]

    def _run(self) -> None:
        try:
            for item in self._produce():
                self._arrived.put((item,))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that reads
            self._arrived.put(error)
        else:
            self._arrived.put(None)

    # The end is put first: cancelling can fail or take its time, and the reader must be free by then.
    def _abort(self) -> None:
        self._arrived.put(None)
        self._cancel()


def run_aside(call: Callable[[], T]) -> Future[T]:
    """Begin a call on a daemon thread, which does not keep this process from ending."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as problem:  # noqa: BLE001 - carried to the caller's thread, not swallowed
            future.set_exception(problem)

    threading.Thread(target=work, daemon=True).start()
    return future


def call(action: Callable[[], object], deadline: Deadline) -> None:
    """Run ``action`` to its end, or leave it when the time is over.

    Raises:
        DeadlineExceededError, InterruptedByOperatorError: as `Deadline.check`.
    """

    def produce() -> Iterator[object]:
        yield action()

    for _ in Flow(produce).read(deadline):
        pass
