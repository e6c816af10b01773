"""Parallel processing of items, with results in the order of the items."""

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
    """Return the number of cores this process may use, which a cluster job may limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    pool: Executor, function: Callable[[T], R], items: Iterable[T], ahead: int
) -> Generator[R, None, None]:
    """Apply a function to items in a pool, in memory independent of the number of items.

    Args:
        pool: threads or processes.
        function: applied to one item.
        items: may block, such as lines of a pipe; a separate thread reads them.
        ahead: largest number of items started before the first of them is finished.

    Yields:
        Results in the order of the items, each as soon as it is available.
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
        except BaseException as error:  # raised again in the consumer
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
        with suppress(Empty):  # unblock the thread if it waits for room in the queue
            while True:
                begun.get_nowait()


class _End(NamedTuple):
    """Marks the end of the queue, with the error that ended it, if any."""

    error: BaseException | None = None
