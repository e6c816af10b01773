"""Results in order, as soon as they are available, with bounded memory."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from songnet.parallel import cores, in_order


def test_in_order_keeps_the_order_and_begins_few_items_ahead() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.02 if item % 7 == 0 else 0)
        return item

    def items() -> Iterator[int]:
        for item in range(100):
            begun.append(item)
            yield item

    with ThreadPoolExecutor(4) as pool:
        most = 0
        for taken, result in enumerate(in_order(pool, work, items(), ahead=8)):
            assert result == taken
            most = max(most, len(begun) - taken)
    assert most <= 8 + 3  # one at the producer, one at the consumer, and one in transfer


def test_in_order_gives_results_while_the_next_item_is_waited_for() -> None:
    go_on = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        assert go_on.wait(30)
        yield 2

    with ThreadPoolExecutor(1) as pool:
        results = in_order(pool, lambda item: -item, items(), ahead=8)
        assert next(results) == -1
        go_on.set()
        assert list(results) == [-2]


def test_in_order_raises_what_items_and_function_raise() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    with ThreadPoolExecutor(1) as pool:
        results = in_order(pool, str, items(), ahead=2)
        assert next(results) == "1"
        with pytest.raises(OSError, match="the disk is gone"):
            next(results)
        with pytest.raises(ZeroDivisionError):
            list(in_order(pool, lambda item: 1 // item, [1, 0], ahead=2))


def test_in_order_stops_when_results_are_not_taken() -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10_000):
            begun.append(item)
            yield item

    with ThreadPoolExecutor(1) as pool:
        results = in_order(pool, str, items(), ahead=4)
        assert next(results) == "0"
        results.close()
        time.sleep(0.1)
    assert len(begun) < 20


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_cores_follow_cpu_affinity() -> None:
    allowed = os.sched_getaffinity(0)
    assert cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
