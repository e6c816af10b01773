"""Work on many items at a time, with results in the order of the items."""

import os
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor, Future
from contextlib import suppress
from queue import Empty, Queue
from typing import NamedTuple, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use: fewer than the machine has in a job of a cluster."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Generator[R, None, None]:
    """Apply a function to items, in memory that does not grow with their number.

    Args:
        pool: of threads or processes.
        function: of one item.
        items: may take their time, as lines of a pipe do; a thread of its own reads them.
        ahead: most items that are begun before the first of them is finished.

    Yields:
        The results, in the order of the items, each as soon as it is there.
    """
    begun: Queue[Future[R] | _End] = Queue(max(1, ahead))
    stopped = threading.Event()

    def begin() -> None:
        end = _End()
        try:
            for item in items:
                if stopped.is_set():
                    return
                begun.put(pool.submit(function, item))
        except BaseException as error:  # the consumer raises it
            end = _End(error)
        begun.put(end)

    threading.Thread(target=begin, daemon=True).start()
    try:
        while not isinstance(found := begun.get(), _End):
            yield found.result()
        if found.error is not None:
            raise found.error
    finally:
        stopped.set()
        with suppress(Empty):  # the thread may wait for a free place
            while True:
                begun.get_nowait()


class _End(NamedTuple):
    """Behind the last item, or what happened instead of the next."""

    error: BaseException | None = None
