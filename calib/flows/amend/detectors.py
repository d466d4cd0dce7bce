"""detector edit and detector retire: change how a detector is described, and end its use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from calib.errors import InputError
from calib.flows.shared.retired import is_beyond
from calib.flows.shared.times import read_instant, zone_named
from calib.model.base.text import LONGEST_NAME, checked_words
from calib.model.store.amendment import (
    DetectorEdit,
    Retirement,
    retirement_in_force,
)
from calib.model.store.certification_rules import live
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.model.store.validity import shown_instant

_AHEAD = timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class Edited:
    """A change of a detector, with the detector before and after it."""

    edit: DetectorEdit
    before: DetectorRecord
    after: DetectorRecord
    dated: tuple[str, ...]
    """Calibrations whose times were read in the zone before; they stay as they are."""


def edit(
    store: StoreLike,
    serial: str,
    *,
    time_zone: str | None,
    description: str | None,
    layout_name: str | None,
    start: str | None,
    reason: str,
    stamp: ChangeStamp,
    dry_run: bool = False,
) -> Edited:
    """Record new values that hold from ``start`` on, or without it in place of the earlier ones.

    ``start`` without an offset is read in the new time zone. Raises ``InputError`` where nothing
    changes (``nothing-to-change``) and for a start in the future (``future-edit``).
    """
    before = store.detectors.get(serial)
    if time_zone is not None:
        zone_named(time_zone)
    checked_words(description or "", "the description")
    checked_words(layout_name or "", "the name of the layout", LONGEST_NAME)
    since = None
    if start is not None:
        since = read_instant(start, time_zone or before.zones, stamp.at)
        if since > stamp.at + _AHEAD:
            raise InputError(
                "future-edit",
                f"{shown_instant(since)} is in the future.",
                remedy="record the change when it has happened.",
            )
    change = DetectorEdit(
        number=0,
        serial=serial,
        start=since,
        time_zone=time_zone,
        description=None if description is None else description.strip(),
        layout_name=None if layout_name is None else layout_name.strip(),
        reason=checked_words(reason.strip(), "the reason"),
        recorded=stamp.signature,
    )
    after = store.detectors.preview_edit(change)
    if _described(after) == _described(before):
        raise InputError(
            "nothing-to-change",
            f"detector {serial} has these values already.",
            remedy=f"see calib detector show {serial}.",
        )
    dated: tuple[str, ...] = ()
    if after.zones != before.zones:
        lines = store.calibrations.list(serial)
        dated = tuple(f"{line.serial}:{line.version}" for line in lines)
    if not dry_run:
        change = store.detectors.edit(change, stamp)
    return Edited(change, before, after, dated)


def _described(record: DetectorRecord) -> tuple[object, ...]:
    return record.zones, record.description, record.layout_name


@dataclass(frozen=True, slots=True, eq=False)
class Retired:
    """A retirement or a return to use, and what it replaces."""

    retirement: Retirement
    before: Retirement | None
    """The retirement that was in force; None if the detector was in use."""
    certified: tuple[str, ...]
    """Calibrations that are certified beyond the start of the retirement."""


def retire(
    store: StoreLike,
    serial: str,
    *,
    start: str,
    undo: bool,
    reason: str,
    stamp: ChangeStamp,
    dry_run: bool = False,
) -> Retired:
    """Record that a detector is not used any more from ``start`` on, or with ``undo`` that it is.

    Certifications stay in force: data taken before are processed as ever, and data taken later get
    a warning. Raises ``InputError`` for a return to use of a detector that is not retired
    (``not-retired``), and for the retirement that is in force already (``already-retired``).
    """
    zones = store.detectors.get(serial).zones
    before = retirement_in_force(store.detectors.retirements(serial))
    since = None if undo else read_instant(start, zones, stamp.at)
    if undo and before is None:
        raise InputError(
            "not-retired",
            f"detector {serial} is not retired.",
            remedy="leave out --undo to retire it.",
        )
    if before is not None and before.start is not None and before.start == since:
        raise InputError(
            "already-retired",
            f"detector {serial} is retired from {shown_instant(before.start)} on already.",
            remedy="--undo takes this back; another --from replaces it.",
        )
    retirement = Retirement(
        number=0,
        serial=serial,
        start=since,
        reason=checked_words(reason.strip(), "the reason"),
        recorded=stamp.signature,
    )
    beyond = () if since is None else _certified_beyond(store, serial, since)
    if not dry_run:
        retirement = store.detectors.retire(retirement, stamp)
    return Retired(retirement, before, beyond)


def _certified_beyond(store: StoreLike, serial: str, start: datetime) -> tuple[str, ...]:
    names = [
        f"{one.serial}:{one.version}"
        for one in live(store.certifications.list(serial))
        if is_beyond(one.validity, start)
    ]
    return tuple(dict.fromkeys(names))
