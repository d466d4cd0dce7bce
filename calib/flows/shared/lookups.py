"""What a command that applies calibrations reads from the store, each thing once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from calib.errors import CalibError
from calib.flows.shared.heads import log_heads
from calib.flows.shared.retired import retirement_warnings
from calib.model.detector.correction import Correction
from calib.model.store.amendment import Retirement
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord, StoredCalibration
from calib.model.store.resolution import DistancePolicy, Resolution, TimePolicy

T = TypeVar("T")


class Lookups:
    """Answers of a store, kept: a thousand files of one detector, time and distance take one
    resolution, and one verification of its calibration. Several threads may share it."""

    def __init__(self, store: StoreLike) -> None:
        self.store = store
        self._kept: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    def detector(self, serial: str) -> DetectorRecord:
        """The detector with a serial; ``NotFoundError`` where the store does not know it."""
        return self._once(("detector", serial), lambda: self.store.detectors.get(serial))

    def corrections(self, serial: str) -> Sequence[tuple[str, Correction]]:
        """Every correction of a detector with the name of its calibration."""
        return self._once(
            ("corrections", serial), lambda: self.store.calibrations.corrections(serial)
        )

    def calibration(self, reference: str, serial: str) -> StoredCalibration:
        """The calibration with this name."""
        return self._once(
            ("calibration", reference, serial),
            lambda: self.store.calibrations.get(reference, serial),
        )

    def resolve(
        self,
        serial: str,
        at: datetime,
        distance_mm: float,
        *,
        as_known_at: int | datetime | None,
        distance_policy: DistancePolicy,
        time_policy: TimePolicy,
    ) -> Resolution:
        """The calibration certified for this time and distance; ``NotFoundError`` for none."""
        return self._once(
            ("resolve", serial, at, distance_mm, as_known_at, distance_policy, time_policy),
            lambda: self.store.resolve(
                serial,
                at,
                distance_mm,
                as_known_at=as_known_at,
                distance_policy=distance_policy,
                time_policy=time_policy,
            ),
        )

    def retired_warnings(self, serial: str, taken: datetime | None) -> tuple[str, ...]:
        """A warning where data may be later than the retirement of their detector."""
        found: Sequence[Retirement] = self._once(
            ("retirements", serial), lambda: self.store.detectors.retirements(serial)
        )
        return retirement_warnings(found, [taken])

    def log_heads(self, serials: Sequence[str], now: datetime) -> dict[str, Any]:
        """The heads of the log as of the first receipt of these detectors."""
        key = ("heads", tuple(sorted(set(serials))))
        return self._once(key, lambda: log_heads(self.store, serials, now))

    def _once(self, key: Hashable, read: Callable[[], T]) -> T:
        """What ``read`` returned or raised the first time."""
        with self._lock:
            if key not in self._kept:
                try:
                    self._kept[key] = read()
                except CalibError as error:
                    self._kept[key] = error
            found = self._kept[key]
        if isinstance(found, CalibError):
            again = type(found)(found.code, found.problem, remedy=found.remedy, place=found.place)
            raise again from found
        result: T = found
        return result
