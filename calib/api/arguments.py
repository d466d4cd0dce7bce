"""Arguments of the public functions: plain values turned into those of the flows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from os import PathLike
from pathlib import Path
from typing import TypeVar

from calib.config.actor import Actor, chosen_actor
from calib.config.location import Location
from calib.errors import InputError
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp
from calib.store.store import Store

AnyPath = str | PathLike[str]
"""A path, as text or as a ``Path``."""
Time = str | datetime
"""ISO 8601 text, ``"now"``, or a ``datetime`` with a time zone. Text without an offset is read in
the detector's time zone."""
AnyStore = AnyPath | Location | StoreLike | None
"""A path, an address, an open store, or None: the store of the settings."""
By = str | Actor | None
"""A name; None: the name in the settings, else the login name."""

Choice = TypeVar("Choice", bound=StrEnum)


@contextmanager
def opened(store: AnyStore, *, read_only: bool, create: bool = True) -> Iterator[StoreLike]:
    """The store, opened for this call, or left open where it was given open.

    Without ``create`` the default store must exist.
    """
    if store is not None and not isinstance(store, str | PathLike | Location):
        yield store
        return
    place = store if store is None or isinstance(store, str | Location) else Path(store)
    with Store.open(place, read_only=read_only, create=create) as found:
        yield found


def actor_of(by: By) -> Actor:
    """The actor that ``by`` names."""
    return by if isinstance(by, Actor) else chosen_actor(by)


def stamp_of(by: By | ChangeStamp) -> ChangeStamp:
    """The record of a change that is made now, unless ``by`` is one with a time of its own."""
    return by if isinstance(by, ChangeStamp) else actor_of(by).stamp(datetime.now(UTC))


def time_text(value: Time, name: str) -> str:
    """A time as the flows read it; raises ``InputError`` for a datetime without a time zone."""
    if isinstance(value, str):
        return value
    if not isinstance(value, datetime):
        raise InputError(
            "bad-time",
            f"{name} is a {type(value).__name__}, not a time.",
            remedy="text such as 2026-03-01T09:30, or a datetime with a time zone.",
        )
    if value.tzinfo is None:
        raise InputError(
            "bad-time",
            f"{name} is a datetime without a time zone: {value.isoformat()}.",
            remedy="datetime(..., tzinfo=UTC), or text, which is read in the detector's zone.",
        )
    return value.isoformat()


def optional_time(value: Time | None, name: str) -> str | None:
    """The same where the time may be left out."""
    return None if value is None else time_text(value, name)


def moment_text(value: Time | int | None) -> str | None:
    """A position of the log or a time, as the flows read it."""
    return str(value) if isinstance(value, int) else optional_time(value, "as_known_at")


def choice_of(kind: type[Choice], value: str, name: str) -> Choice:
    """The member of an enumeration that a text names; raises ``InputError`` for any other."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(repr(member.value) for member in kind)
        raise InputError(
            "bad-choice", f"{name} cannot be {value!r}.", remedy=f"one of {known}."
        ) from None
