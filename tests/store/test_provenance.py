"""Provenance is recorded with a calibration and is not part of its identity."""

from __future__ import annotations

import pytest

from calib.errors import IntegrityError
from calib.store.store import Store
from support import raw
from support.records import NOON, calibration, detector, provenance, stamp


def test_provenance_is_read_back_as_recorded_and_logged(place: str, store: Store) -> None:
    stored, _ = store.calibrations.add(
        calibration(), (NOON, None), stamp(), detector(), provenance=provenance()
    )
    assert store.calibrations.provenance(stored.id) == provenance()
    assert store.log.audit().findings == ()
    raw.tamper(place, "UPDATE provenance SET paths = '{}'")
    assert [finding.table for finding in store.log.audit().findings] == ["provenance"]


def test_the_same_derivation_elsewhere_is_the_same_calibration(store: Store) -> None:
    first, _ = store.calibrations.add(
        calibration(), (NOON, None), stamp(), detector(), provenance=provenance()
    )
    second, new = store.calibrations.add(calibration(), (NOON, None), stamp(actor="bob"))
    assert (second.id, new) == (first.id, False)
    assert store.calibrations.provenance(first.id) == provenance()
    other, _ = store.calibrations.add(calibration(seed=1), (NOON, None), stamp())
    assert store.calibrations.provenance(other.id) is None


def test_a_provenance_that_cannot_be_read_is_an_integrity_error(place: str, store: Store) -> None:
    stored, _ = store.calibrations.add(
        calibration(), (NOON, None), stamp(), detector(), provenance=provenance()
    )
    raw.tamper(place, "UPDATE provenance SET environment = '[]'")
    with pytest.raises(IntegrityError, match="cannot be read"):
        store.calibrations.provenance(stored.id)
