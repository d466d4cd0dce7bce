"""The base of the store's interface, and the two marks of its methods: ``read`` and ``write``."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Concatenate, ParamSpec, TypeVar

from calib.errors import CalibError, IntegrityError
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

    def _altered(self, error: Exception) -> IntegrityError | None:
        from calib.store.schema.objects import schema_findings

        with self._database.reading() as connection:
            found = schema_findings(connection)
        if not found:
            return None  # a bug
        return IntegrityError(
            "store-altered",
            f"the store cannot be read ({error}), since somebody altered its tables: "
            f"{found[0].table}: {found[0].problem}.",
            place=self._database.location.shown,
            remedy="calib db check lists what was altered; restore the store from a backup.",
        )


_A = TypeVar("_A", bound=EntityApi)
_P = ParamSpec("_P")
_R = TypeVar("_R")
_MARK = "__access__"


_UNREADABLE = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What values raise that have another type than their column was made with."""


def read(method: Callable[Concatenate[_A, _P], _R]) -> Callable[Concatenate[_A, _P], _R]:
    """Mark a method that only reads: it is retried where the store changes beneath it."""
    return _marked(_refused_if_altered(retry_read(method)), Access.READ)


def write(method: Callable[Concatenate[_A, _P], _R]) -> Callable[Concatenate[_A, _P], _R]:
    """Mark a method that writes: it is refused where the store is known to be read-only, and never
    retried."""

    @functools.wraps(method)
    def refused_if_read_only(self: _A, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if self._database.refusal is not None:
            raise self._database.refusal
        return method(self, *args, **kwargs)

    return _marked(_refused_if_altered(refused_if_read_only), Access.WRITE)


def _refused_if_altered(
    method: Callable[Concatenate[_A, _P], _R],
) -> Callable[Concatenate[_A, _P], _R]:
    """Where a value cannot be read because somebody altered the tables, raise ``IntegrityError``
    (``store-altered``)."""

    @functools.wraps(method)
    def refused(self: _A, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(self, *args, **kwargs)
        except CalibError:
            raise
        except _UNREADABLE as error:
            altered = self._altered(error)
            if altered is None:
                raise
            raise altered from None

    return refused


def access_of(method: Callable[..., object]) -> Access | None:
    """The mark of a method; None where it has none."""
    return getattr(method, _MARK, None)


def _marked(method: Callable[_P, _R], access: Access) -> Callable[_P, _R]:
    vars(method)[_MARK] = access
    return method
