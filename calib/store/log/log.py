"""The entries of the log: one for each change, hashed over its rows and the previous entry.

Positions number the changes of a store in the order of recording.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from calib.errors import InputError
from calib.model.base.bounds import POSITION, brief
from calib.model.store.log import (
    CLOCK_KIND,
    LATEST,
    STORE_CHAIN,
    ChainHead,
    ClockCorrection,
    Entry,
    Moment,
    entry_id,
)
from calib.model.store.record import ChangeStamp
from calib.model.store.validity import utc
from calib.store.database.clock import CLOCK, ClockRule
from calib.store.log.written import (
    bind,
    check_written,
    collected_rows,
    contents_of,
    written_differently,
)
from calib.store.schema.columns import row_limit
from calib.store.schema.tables import DEED, DETECTOR, ENTRY

_TICK = timedelta(microseconds=1)
_MOST_TIMES = 500
"""In one statement."""
ENTRIES = select(ENTRY, DEED.c.recorded_at, DEED.c.actor, DEED.c.host).join(
    DEED, DEED.c.position == ENTRY.c.position
)
"""Entries with their stamps, as ``entry_of`` takes them."""


def add_stamp(
    connection: Connection, stamp: ChangeStamp, *, corrects_clock: bool = False
) -> tuple[int, ChangeStamp]:
    """Insert the stamp at the next position; returns the position and the stamp as recorded.

    The recorded time is max(stamp.at, last + 1 microsecond), so that times increase even where a
    clock is set back, except where the entry corrects the clock. Only ``recording`` calls this, in
    a serialised write. Raises ``StoreError`` for a time that another clock contradicts.
    """
    latest = select(func.max(DEED.c.recorded_at)).scalar_subquery().label("latest")
    last = connection.execute(
        select(DEED.c.position, DEED.c.recorded_at, latest)
        .order_by(DEED.c.position.desc())
        .limit(1)
    ).first()
    position, at = 1, utc(stamp.at)
    rule: ClockRule | None = connection.info.get(CLOCK)
    if rule is not None:
        rule.check(connection, at, None if last is None else last.recorded_at)
    if last is not None:
        position = last.position + 1
        if not corrects_clock:
            at = max(at, last.recorded_at + _TICK)
        # After a correction of the clock there are later times before it; no two are the same.
        while at <= last.latest and _is_recorded(connection, at):
            at += _TICK
    connection.execute(
        insert(DEED).values(position=position, recorded_at=at, actor=stamp.actor, host=stamp.host)
    )
    return position, ChangeStamp(at, stamp.actor, stamp.host)


def _is_recorded(connection: Connection, at: datetime) -> bool:
    return (
        connection.execute(select(DEED.c.position).where(DEED.c.recorded_at == at)).first()
        is not None
    )


@contextlib.contextmanager
def recording(
    connection: Connection,
    stamp: ChangeStamp,
    kind: str,
    chain: str,
    reason: str | None = None,
) -> Iterator[tuple[int, ChangeStamp]]:
    """Record one change: yields its position and its stamp as recorded. At the end of the block the
    rows that ``insert_rows`` added are entered in the log, read back and compared.

    ``chain`` is the serial of the detector that the change concerns, or ``STORE_CHAIN`` where a
    detector is registered. Without ``reason`` that of the stamp is used.
    """
    position, recorded = add_stamp(connection, stamp, corrects_clock=kind == CLOCK_KIND)
    with collected_rows(connection) as meant:
        yield position, recorded
        bind(connection, position, chain)
    ordinal, previous = _head_of(connection, chain)
    why = stamp.reason if reason is None else reason
    entry = Entry(
        position=position,
        recorded=replace(recorded, command=stamp.command, reason=why),
        chain=chain,
        ordinal=ordinal + 1,
        kind=kind,
        contents=contents_of(meant),
        salt=secrets.token_hex(16),
        previous=previous,
        hash="",
    )
    entry = replace(entry, hash=entry_id(entry))
    insert_entry(connection, entry)
    check_written(connection, position, meant)
    _check_entry(connection, entry)


def _check_entry(connection: Connection, entry: Entry) -> None:
    """Raise ``IntegrityError`` unless the entry and its stamp are stored as they were meant."""
    row = connection.execute(ENTRIES.where(ENTRY.c.position == entry.position)).first()
    try:
        found = None if row is None else entry_of(row)
    except (TypeError, ValueError):
        found = None
    if found != entry:
        msg = "the entry of the log or its stamp differs"
        raise written_differently(msg)


def insert_entry(connection: Connection, entry: Entry) -> None:
    """Insert an entry unchanged; its stamp is inserted already."""
    connection.execute(
        insert(ENTRY).values(
            position=entry.position,
            chain=entry.chain,
            ordinal=entry.ordinal,
            kind=entry.kind,
            command=entry.recorded.command,
            reason=entry.recorded.reason,
            contents=json.dumps(entry.contents, sort_keys=True),
            salt=entry.salt,
            previous=entry.previous,
            hash=entry.hash,
        )
    )


def read_entries(connection: Connection, serial: str | None, last: int | None) -> list[Entry]:
    """The entries of a detector since its registration, or of all, in order; only the ``last`` ones
    where a number is given."""
    wanted = ENTRIES
    if serial is not None:
        position = select(DETECTOR.c.position).where(DETECTOR.c.serial == serial)
        registration = ENTRY.c.position == position.scalar_subquery()
        wanted = wanted.where((ENTRY.c.chain == serial) | registration)
    rows = connection.execute(wanted.order_by(ENTRY.c.position.desc()).limit(row_limit(last)))
    return [entry_of(row) for row in rows][::-1]


def read_moment(connection: Connection, when: datetime | int | None) -> Moment:
    """The last entry up to a time, or of all, or the one at a position.

    An entry that a correction of the clock contradicts counts as recorded at the time of the
    correction: after all entries before it, and before it.

    Raises ``InputError`` (``unknown-position``) for a position that the log has not reached, since
    the state as of that position could still change.
    """
    wanted = select(DEED.c.position, DEED.c.recorded_at).limit(1)
    if isinstance(when, datetime):
        # From one correction of the clock to the next, times increase with positions, and their own
        # index gives the last one directly.
        begin = func.coalesce(_last_correction(when).scalar_subquery(), 0)
        wanted = wanted.where(DEED.c.recorded_at <= when, DEED.c.position >= begin).order_by(
            DEED.c.recorded_at.desc()
        )
    else:
        wanted = wanted.order_by(DEED.c.position.desc())
        if when is not None:
            wanted = wanted.where(DEED.c.position <= when)
    beyond = isinstance(when, int) and when not in POSITION
    row = None if beyond else connection.execute(wanted).first()
    found = Moment(0, None) if row is None else Moment(row.position, row.recorded_at)
    if isinstance(when, int) and found.position != when:
        raise InputError(
            "unknown-position",
            f"the log has no position {brief(when)}; its last one is {found.position}."
            if not beyond
            else f"the log has no position {brief(when)}.",
            remedy="a position that calib audit log shows, or a time.",
        )
    return found


def _last_correction(until: datetime | None = None) -> Select[tuple[int]]:
    """The position of the last entry that corrects the clock, of those up to a time."""
    wanted = (
        select(ENTRY.c.position)
        .where(ENTRY.c.chain == STORE_CHAIN, ENTRY.c.kind == CLOCK_KIND)
        .order_by(ENTRY.c.position.desc())
        .limit(1)
    )
    if until is None:
        return wanted
    return wanted.join(DEED, DEED.c.position == ENTRY.c.position).where(DEED.c.recorded_at <= until)


def wrong_times(connection: Connection, at: datetime) -> ClockCorrection:
    """The last entries of the log as far as their times are later than ``at``.

    Raises ``InputError`` (``clock-right``) where there are none.
    """
    last = read_moment(connection, None)
    if last.at is None or last.at <= at:
        raise InputError(
            "clock-right",
            f"no entry of the log is later than the clock of this machine, {at:%Y-%m-%d %H:%M:%S} "
            "UTC: there is nothing to correct.",
        )
    begin = connection.execute(_last_correction()).scalar() or 0
    first = connection.execute(
        select(func.min(DEED.c.position)).where(DEED.c.recorded_at > at, DEED.c.position >= begin)
    ).scalar()
    assert first is not None  # noqa: S101 - the last entry is one of them
    return ClockCorrection(first, last.position, last.at, at, None)


def correct_clock(connection: Connection, stamp: ChangeStamp) -> ClockCorrection:
    """Record that the last entries have wrong times; the log goes on at the time of the stamp."""
    found = wrong_times(connection, utc(stamp.at))
    with recording(connection, stamp, CLOCK_KIND, STORE_CHAIN) as (position, recorded):
        pass
    return replace(found, at=recorded.at, position=position)


def read_entries_at(connection: Connection, times: Sequence[datetime]) -> list[Entry]:
    """The entries that were recorded at these times, in order."""
    found = []
    for begin in range(0, len(times), _MOST_TIMES):
        some = times[begin : begin + _MOST_TIMES]
        found += [
            entry_of(row) for row in connection.execute(ENTRIES.where(DEED.c.recorded_at.in_(some)))
        ]
    return sorted(found, key=lambda entry: entry.position)


def entry_of(row: Row[Any]) -> Entry:
    """The entry in a row of ``entry`` joined with its stamp."""
    stamp = ChangeStamp(row.recorded_at, row.actor, row.host, row.command, row.reason)
    return entry_with(row, row.position, stamp)


def entry_with(row: Any, position: int, recorded: ChangeStamp) -> Entry:
    """The entry in a row that has its position and its stamp under other names."""
    return Entry(
        position=position,
        recorded=recorded,
        chain=row.chain,
        ordinal=row.ordinal,
        kind=row.kind,
        contents=contents_from(row.contents),
        salt=row.salt,
        previous=row.previous,
        hash=row.hash,
    )


def contents_from(written: str) -> dict[str, str]:
    """The contents of an entry; raises ``ValueError`` or ``TypeError`` for other text."""
    return dict(json.loads(written))


def read_heads(
    connection: Connection, chains: Sequence[str] | None = None, known_at: int = LATEST
) -> tuple[ChainHead, ...]:
    """The head of every chain that has an entry, or of these chains, by name, as known at a log
    position."""
    ordinal = func.max(ENTRY.c.ordinal).label("ordinal")
    wanted = select(ENTRY.c.chain, ordinal).group_by(ENTRY.c.chain)
    if chains is not None:
        wanted = wanted.where(ENTRY.c.chain.in_(chains))
    if known_at != LATEST:
        wanted = wanted.where(ENTRY.c.position <= known_at)
    last = wanted.subquery()
    rows = connection.execute(
        select(ENTRY.c.chain, ENTRY.c.ordinal, ENTRY.c.position, ENTRY.c.hash).join(
            last, (last.c.chain == ENTRY.c.chain) & (last.c.ordinal == ENTRY.c.ordinal)
        )
    )
    return tuple(sorted((ChainHead(*row) for row in rows), key=lambda head: head.chain))


def _head_of(connection: Connection, chain: str) -> tuple[int, str | None]:
    """The ordinal and hash of a chain's last entry; before a detector's first entry, those of its
    registration."""
    row = connection.execute(
        select(ENTRY.c.ordinal, ENTRY.c.hash)
        .where(ENTRY.c.chain == chain)
        .order_by(ENTRY.c.ordinal.desc())
        .limit(1)
    ).first()
    if row is not None:
        return row.ordinal, row.hash
    if chain == STORE_CHAIN:
        return 0, None
    registration = connection.execute(
        select(ENTRY.c.hash)
        .join(DETECTOR, DETECTOR.c.position == ENTRY.c.position)
        .where(DETECTOR.c.serial == chain)
    ).scalar()
    return 0, registration
