"""Warnings about data of detectors that are retired."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from calib.model.store.amendment import Retirement, retirement_in_force
from calib.model.store.log import LATEST
from calib.model.store.protocol import StoreLike
from calib.model.store.validity import Validity, shown_instant


def retired_warnings(
    store: StoreLike, serial: str, taken: Iterable[datetime | None], known_at: int = LATEST
) -> tuple[str, ...]:
    """A warning where data of these times, None if unknown, may be later than the retirement of
    their detector."""
    return retirement_warnings(store.detectors.retirements(serial, known_at), taken)


def retirement_warnings(
    retirements: Sequence[Retirement], taken: Iterable[datetime | None]
) -> tuple[str, ...]:
    """The same from the retirements of the detector, newest first."""
    retirement = retirement_in_force(retirements)
    if retirement is None:
        return ()
    start = retirement.start
    times = list(taken)
    later = [time for time in times if time is not None and start is not None and time >= start]
    if later:
        return (f"{_words(retirement)}, and the data were taken later.",)
    if None in times:
        return (f"{_words(retirement)}, and it is not known when the data were taken.",)
    return ()


def retired_validity_warnings(store: StoreLike, serial: str, validity: Validity) -> tuple[str, ...]:
    """A warning where a certification is valid beyond the retirement of its detector."""
    retirement = retirement_in_force(store.detectors.retirements(serial))
    if retirement is None or retirement.start is None:
        return ()
    if not is_beyond(validity, retirement.start):
        return ()
    return (f"{_words(retirement)}, and the certification is valid beyond that.",)


def is_beyond(validity: Validity, start: datetime) -> bool:
    """Whether a certification is valid after the start of a retirement."""
    return validity.end is None or validity.end > start


def _words(retirement: Retirement) -> str:
    assert retirement.start is not None  # noqa: S101 - in force
    since = shown_instant(retirement.start)
    return f"{retirement.serial} is retired since {since} ({retirement.reason.rstrip('.')})"
