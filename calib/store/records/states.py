"""How far calibrations are trusted: derived from what was certified and withdrawn, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection

from calib.model.store.certification_rules import Region, answering
from calib.model.store.log import LATEST
from calib.model.store.record import State
from calib.model.store.validity import DistanceRange, Validity
from calib.store.database.raw_sql import SqlStatement, instant, instant_or_none

_OF_DETECTOR = SqlStatement(
    "SELECT c.position, c.calibration, c.valid_from, c.valid_to, c.distance_min_mm, "
    "c.distance_max_mm, w.position AS withdrawn FROM certification c LEFT JOIN withdrawal w "
    "ON w.certification = c.position AND w.position <= :known "
    "WHERE c.detector = :detector AND c.position <= :known"
)


def states(
    connection: Connection, heads: Sequence[Any], known_at: int = LATEST
) -> dict[int, State]:
    """The state of each calibration as known at a position of the log, by the calibration's own.

    ``heads`` are rows of ``heads()``.
    """
    found: dict[int, State] = {}
    by_detector = sorted(heads, key=lambda head: int(head.detector))
    for detector, rows in groupby(by_detector, key=lambda head: int(head.detector)):
        words = _OF_DETECTOR.records(connection, detector=detector, known=known_at)
        standing = [word for word in words if word.withdrawn is None]
        numbers = answering((word.position, _region(word)) for word in standing)
        ever = {word.calibration for word in words}
        live = {word.calibration for word in standing}
        certified = {word.calibration for word in standing if word.position in numbers}
        for head in rows:
            if head.position not in ever:
                state = State.ACCEPTED if head.accepted else State.DRAFT
            elif head.position not in live:
                state = State.WITHDRAWN
            else:
                state = State.CERTIFIED if head.position in certified else State.SUPERSEDED
            found[head.position] = state
    return found


def _region(word: Any) -> Region:
    return Region(
        Validity(instant(word.valid_from), instant_or_none(word.valid_to)),
        DistanceRange(word.distance_min_mm, word.distance_max_mm),
    )
