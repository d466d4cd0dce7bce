"""Retrying reads during which the store was changed or the server connection was lost."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from calib.store.database.errors import (
    LOST_SECONDS,
    PAUSE_SECONDS,
    StoreChangedError,
    StoreLostError,
)

_P = ParamSpec("_P")
_R = TypeVar("_R")
_ATTEMPTS = 20
_PAUSE_SECONDS = 0.01


def retry_read(read: Callable[_P, _R]) -> Callable[_P, _R]:
    """Repeat a read for a while after ``StoreChangedError``, which occurs only without write access
    to an SQLite file, and after ``StoreLostError``, unless this process began a write meanwhile."""

    @functools.wraps(read)
    def retried(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        end, attempt, n_writes = time.monotonic() + LOST_SECONDS, 0, _n_writes(args)
        while True:
            try:
                return read(*args, **kwargs)
            except StoreChangedError:
                attempt += 1
                if attempt >= _ATTEMPTS and time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS * min(attempt, _ATTEMPTS))
            except StoreLostError:
                if _n_writes(args) != n_writes or time.monotonic() > end:
                    raise
                time.sleep(PAUSE_SECONDS)

    return retried


def _n_writes(args: tuple[object, ...]) -> int:
    """Number of writes of the database that the first argument is, or has."""
    first = args[0] if args else None
    return int(getattr(getattr(first, "_database", first), "n_writes", 0))
