"""How far calibrations are trusted: derived from what was certified and withdrawn, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from calib.model.assertion import answers_somewhere, live
from calib.model.record import Certification, State
from calib.store.certifications import LATEST, of_detector, read_certifications
from calib.store.tables import CERTIFICATION


def states(
    connection: Connection, heads: Sequence[Any], known_at: int = LATEST
) -> dict[int, State]:
    """The state of each calibration as known at a position of the log, by the calibration's own.

    ``heads`` are rows of ``heads()``.
    """
    found: dict[int, State] = {}
    by_detector = sorted(heads, key=lambda head: int(head.detector))
    for detector, rows in groupby(by_detector, key=lambda head: int(head.detector)):
        mine = list(rows)
        words = _words(connection, detector, mine, known_at)
        for head in mine:
            found[head.position] = _state(head, words)
    return found


def _words(
    connection: Connection, detector: int, heads: Sequence[Any], known_at: int
) -> list[Certification]:
    """All certifications of the detector, unless none of these calibrations ever had one."""
    if len(heads) == 1:
        of_one = select(CERTIFICATION.c.position).where(
            CERTIFICATION.c.calibration == heads[0].position, CERTIFICATION.c.position <= known_at
        )
        if connection.execute(of_one.limit(1)).first() is None:
            return []
    return read_certifications(connection, of_detector(detector), known_at)


def _state(head: Any, words: Sequence[Certification]) -> State:
    mine = [one for one in words if one.calibration_id == head.id]
    if not mine:
        return State.ACCEPTED if head.accepted else State.DRAFT
    standing = live(words)
    mine = [one for one in standing if one.calibration_id == head.id]
    if not mine:
        return State.WITHDRAWN
    if any(answers_somewhere(one, standing) for one in mine):
        return State.CERTIFIED
    return State.SUPERSEDED
