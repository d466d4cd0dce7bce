"""Entries compared with what they are about: the detector and the keys of their rows.

Entries since revision 0014 are bound by a row of the table ``binding``, which their hash covers.
For older entries the detector follows from the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from calib.model.store.log import STORE_CHAIN

_OF_DETECTORS = text(
    "SELECT 'certification' AS name, position, detector FROM certification "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'calibration', position, detector FROM calibration "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'placement', position, detector FROM placement "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'detector_edit', position, detector FROM detector_edit "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'retirement', position, detector FROM retirement "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'origin', position, detector FROM origin "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'withdrawal', w.position, c.detector FROM withdrawal w "
    "LEFT JOIN certification c ON c.position = w.certification "
    "WHERE w.position BETWEEN :first AND :last "
    "UNION ALL SELECT 'relabelling', r.position, c.detector FROM relabelling r "
    "LEFT JOIN calibration c ON c.position = r.calibration "
    "WHERE r.position BETWEEN :first AND :last "
    "UNION ALL SELECT 'application', a.position, c.detector FROM application a "
    "LEFT JOIN calibration c ON c.position = a.calibration "
    "WHERE a.position BETWEEN :first AND :last "
    "UNION ALL SELECT 'detector', position, position FROM detector "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'store_rule', position, 0 FROM store_rule "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'anchored_checkpoint', position, 0 FROM anchored_checkpoint "
    "WHERE position BETWEEN :first AND :last "
    "UNION ALL SELECT 'layout', position, 0 FROM layout "
    "WHERE position BETWEEN :first AND :last"
)
"""The detectors that rows concern, by the position that added the rows; 0 for rules, for
checkpoints of other stores and for layouts."""


def rows_of_other_detectors(
    connection: Connection,
    chains: Mapping[int, str],
    serials: Mapping[int, str],
    first: int,
    last: int,
) -> list[tuple[str, int, str]]:
    """The rows whose entry is in the chain of another detector: table, position and problem.

    ``chains`` are those of the entries from ``first`` to ``last``, ``serials`` those of the
    detectors, by position.
    """
    found = []
    for name, position, detector in connection.execute(
        _OF_DETECTORS, {"first": first, "last": last}
    ):
        chain = chains.get(position)
        if chain is None:
            continue  # a row without an entry is reported elsewhere
        serial = STORE_CHAIN if detector == 0 else serials.get(detector, "an unknown detector")
        if chain == STORE_CHAIN and serials.get(position) == serial:
            continue  # the change that registered the detector
        if chain != serial:
            problem = (
                f"it concerns {serial or 'the store'}, but its entry is in the chain of "
                f"{chain or 'the store'}"
            )
            found.append((name, int(position), problem))
    return sorted(set(found))


def binding_problem(chain: str, registered: str | None, row: Any, keys: str) -> str:
    """How a binding differs from its entry, in words; empty where it does not.

    ``row`` is the row of ``binding`` or None, ``registered`` the serial of the detector that the
    entry registered, ``keys`` those of the rows that the position added.
    """
    if row is None:
        return "the entry has no binding"
    detector = registered if registered is not None and chain == STORE_CHAIN else chain
    if row.detector != detector:
        return f"the entry is bound to {row.detector or 'the store'}, not to {detector}"
    if row.keys != keys:
        return "the entry is bound to other rows than those of its position"
    return ""
