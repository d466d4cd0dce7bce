"""Threads over the parts of one dataset, with results that do not depend on their number.

The parts do not depend on the number of threads, and results are returned in the order of the
parts, so that sums are the same to the last bit. numpy releases the interpreter lock while it
computes.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Part = TypeVar("Part")
Answer = TypeVar("Answer")

_LIMIT = "OMP_NUM_THREADS"
"""Environment variable that limits the number of threads."""


def n_cores() -> int:
    """Number of cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_threads() -> int:
    """Number of threads: one per core that this process may use, at most ``OMP_NUM_THREADS``."""
    cores, limit = n_cores(), os.environ.get(_LIMIT, "")
    return max(min(cores, int(limit)), 1) if limit.isdecimal() else cores


def in_order(work: Callable[[Part], Answer], parts: Sequence[Part]) -> Iterator[Answer]:
    """Results of ``work(part)`` for every part, in order.

    Hardly more results are held at a time than there are threads. Exceptions of ``work`` are raised
    here; if there are several, that of the first part.
    """
    count = min(n_threads(), len(parts))
    if count < 2:
        yield from map(work, parts)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    begun: deque[Future[Answer]] = deque()
    with ThreadPoolExecutor(count) as pool:
        try:
            for part in parts:
                begun.append(pool.submit(work, part))
                if len(begun) > count:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for one in begun:
                one.cancel()
