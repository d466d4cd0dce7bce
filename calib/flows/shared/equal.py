"""Calibrations that are equal except for rounding.

The order of operations inside the linear algebra differs between its versions and kernels (the code
for a processor), so that the last bits of a result, and with them its id, differ as well.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from calib.errors import NotFoundError
from calib.model.base.content import to_content
from calib.model.store.protocol import StoreLike
from calib.model.store.record import CalibrationRecord, StoredCalibration

EQUAL_SIGMA = 1e-6
"""Results that differ by less than this many sigma are the same: rounding differs by 1e-11 sigma,
and no use of a calibration depends on a millionth."""


class Equal(NamedTuple):
    """A stored calibration that is equal to another."""

    stored: StoredCalibration
    difference_sigma: float
    """As ``largest_difference_sigma`` returns it."""


def largest_difference_sigma(one: CalibrationRecord, other: CalibrationRecord) -> float:
    """The largest difference of a parameter, or of its sigma, in units of the first one's sigma;
    infinity where panels or refined parameters differ."""
    if one.estimate.freedom != other.estimate.freedom or one.panel_names != other.panel_names:
        return math.inf
    free = list(one.estimate.freedom.free)
    apart = (other.estimate.correction.values - one.estimate.correction.values)[:, free]
    mine, theirs = one.estimate.sigma[:, free], other.estimate.sigma[:, free]
    unit = np.maximum(mine, 1e-300)
    return float(max(np.abs(apart / unit).max(), np.abs((theirs - mine) / unit).max()))


def equal_calibration(store: StoreLike, record: CalibrationRecord) -> Equal | None:
    """The calibration in the store that was derived in the same way from the same data and differs
    from ``record`` by less than ``EQUAL_SIGMA``, but has another id; None without one."""
    try:
        lines = store.calibrations.list(record.serial)
    except NotFoundError:  # the detector is new
        return None
    if any(line.id == record.id for line in lines):
        return None
    n_reflections = int(record.estimate.n_reflections.sum())
    for line in reversed(lines):
        alike = (line.freedom, line.n_reflections, line.accepted) == (
            record.estimate.freedom.value,
            n_reflections,
            record.acceptance.accepted,
        )
        if not alike:
            continue
        stored = store.calibrations.get(line.id)
        if _origin(stored.record) == _origin(record):
            difference = largest_difference_sigma(stored.record, record)
            if difference < EQUAL_SIGMA:
                return Equal(stored, difference)
    return None


def equal_notice(equal: Equal) -> str:
    """The notice where an equal calibration is stored already."""
    return (
        f"{equal.stored.name} is equal: it differs by {equal.difference_sigma:.1e} sigma, from "
        "rounding in another version or kernel of the linear algebra. Nothing was stored."
    )


def _origin(record: CalibrationRecord) -> tuple[object, ...]:
    """What a calibration was derived from, and how."""
    return (
        record.layout_id,
        record.code_version,
        to_content(record.parameters),
        [use.sha256 for use in record.report.datasets],
        record.estimate.status,
    )
