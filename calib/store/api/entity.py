"""The base of the store's interface, and the two marks of its methods: ``read`` and ``write``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Concatenate, ParamSpec, TypeVar

from calib.store.database.database import Database
from calib.store.database.retry import retry_read


class Access(StrEnum):
    """What a method of the interface does with the store."""

    READ = "read"
    WRITE = "write"


class EntityApi:
    """The methods that read or write one kind of entity, each marked ``read`` or ``write``."""

    def __init__(self, database: Database) -> None:
        self._database = database


_A = TypeVar("_A", bound=EntityApi)
_P = ParamSpec("_P")
_R = TypeVar("_R")
_MARK = "__access__"


def read(method: Callable[Concatenate[_A, _P], _R]) -> Callable[Concatenate[_A, _P], _R]:
    """Mark a method that only reads: it is retried where the store changes beneath it."""
    return _marked(retry_read(method), Access.READ)


def write(method: Callable[Concatenate[_A, _P], _R]) -> Callable[Concatenate[_A, _P], _R]:
    """Mark a method that writes: it is refused where the store is known to be read-only, and never
    retried."""

    @functools.wraps(method)
    def refused_if_read_only(self: _A, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if self._database.refusal is not None:
            raise self._database.refusal
        return method(self, *args, **kwargs)

    return _marked(refused_if_read_only, Access.WRITE)


def access_of(method: Callable[..., object]) -> Access | None:
    """The mark of a method; None where it has none."""
    return getattr(method, _MARK, None)


def _marked(method: Callable[_P, _R], access: Access) -> Callable[_P, _R]:
    vars(method)[_MARK] = access
    return method
