"""A store with an entry from a machine whose clock is years ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from calib.store.store import Store
from support.records import detector, stamp


def record_in_future(place: str | Path, years: int = 5) -> None:
    """Register a detector, years from now."""
    at = datetime.now(UTC) + years * timedelta(days=365)
    with Store.open(place, clock_checked=True) as store:
        store.detectors.add(detector("99-9999"), stamp(at))
