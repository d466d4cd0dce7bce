"""Questions that are asked again, where the store was changed or went away while it answered."""

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
_TURNS = 20
_PAUSE_SECONDS = 0.01


def retry_read(question: Callable[_P, _R]) -> Callable[_P, _R]:
    """Asks again for a while on ``StoreChangedError``, which only users meet who may not write, and
    on ``StoreLostError``, unless something may have been written since the question was put."""

    @functools.wraps(question)
    def answered(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        end, turn, n_writes = time.monotonic() + LOST_SECONDS, 0, _n_writes(args)
        while True:
            try:
                return question(*args, **kwargs)
            except StoreChangedError:
                turn += 1
                if turn >= _TURNS and time.monotonic() > end:
                    raise
                time.sleep(_PAUSE_SECONDS * min(turn, _TURNS))
            except StoreLostError:
                if _n_writes(args) != n_writes or time.monotonic() > end:
                    raise
                time.sleep(PAUSE_SECONDS)

    return answered


def _n_writes(args: tuple[object, ...]) -> int:
    """The writes of the database which the first argument is, or stands on."""
    first = args[0] if args else None
    return int(getattr(getattr(first, "_database", first), "n_writes", 0))
