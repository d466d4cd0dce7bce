"""Parts of one dataset worked on by all cores, with the same answers whoever was faster.

What a dataset is cut into does not depend on how many threads there are, and answers come in the
order of the parts: sums are the same to the last bit. numpy lets go of the interpreter while it
computes, so that threads are enough.
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
"""Processes that share a machine with their like are told by it how many threads to use."""


def n_cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def n_threads() -> int:
    """One for each core that this process may use, or what ``OMP_NUM_THREADS`` says if less."""
    cores, limit = n_cores(), os.environ.get(_LIMIT, "")
    return max(min(cores, int(limit)), 1) if limit.isdecimal() else cores


def in_order(work: Callable[[Part], Answer], parts: Sequence[Part]) -> Iterator[Answer]:
    """``work(part)`` of every part, in order; hardly more of them are there at a time than there
    are threads. What ``work`` raises is raised here, of several errors the first part's."""
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
