"""resolve: the calibration for data of a time and a distance, with an explanation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from calib.flows.shared.distances import check_distance
from calib.flows.shared.retired import retired_warnings
from calib.flows.shared.times import future_warnings, read_instant, read_moment
from calib.model.store.protocol import StoreLike
from calib.model.store.resolution import DistancePolicy, Resolution, TimePolicy


def resolve(
    store: StoreLike,
    serial: str,
    *,
    at: str,
    distance_mm: float,
    as_known_at: str | None,
    distance_policy: DistancePolicy,
    time_policy: TimePolicy,
    now: datetime,
) -> Resolution:
    """The answer and the candidates that did not apply. Times without offset are read in the
    detector's time zone."""
    check_distance(distance_mm)
    zone = store.detectors.get(serial).zones
    taken = read_instant(at, zone, now)
    found = store.resolve(
        serial,
        taken,
        distance_mm,
        as_known_at=None if as_known_at is None else read_moment(as_known_at, zone, now),
        distance_policy=distance_policy,
        time_policy=time_policy,
        explain=True,
    )
    retired = retired_warnings(store, serial, [taken], found.position)
    return replace(found, warnings=(*found.warnings, *retired, *future_warnings(taken, now)))
