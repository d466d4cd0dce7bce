"""Questions that are asked again, where the store was changed while it answered."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from calib.store.failure import StoreChangedError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_TURNS = 20
_PAUSE_SECONDS = 0.01


def asked_again(question: Callable[_P, _R]) -> Callable[_P, _R]:
    """Asks again on ``StoreChangedError``, which only users meet who may not write: a question of
    theirs that failed has changed nothing."""

    @functools.wraps(question)
    def answered(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for turn in range(1, _TURNS):
            try:
                return question(*args, **kwargs)
            except StoreChangedError:
                time.sleep(_PAUSE_SECONDS * turn)
        return question(*args, **kwargs)

    return answered
