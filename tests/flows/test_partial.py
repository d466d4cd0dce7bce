"""Calibrations of less than half of the panels are certified only if this is confirmed."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from calib.errors import InputError, NotFoundError
from calib.flows.certify import Certified, certify
from calib.model.detector.correction import PanelStatus
from calib.store.store import Store
from support.records import DAY, NOON, SERIAL, calibration, detector, stamp

N = 4


def stored(store: Store, n_measured: int) -> str:
    """The name of a new calibration with so many measured panels of four."""
    record = calibration(n_panels=N)
    sparse = (PanelStatus.SPARSE,) * (N - n_measured)
    status = ((PanelStatus.MEASURED,) * n_measured) + sparse
    record = replace(record, estimate=replace(record.estimate, status=status))
    starts = (NOON,) * len(record.report.datasets)
    return store.calibrations.add(record, starts, stamp(), detector(n_panels=N))[0].name


def certified(store: Store, name: str, **options: object) -> Certified:
    given: dict[str, object] = {
        "serial": None, "start": None, "end": None, "min_distance_mm": None,
        "max_distance_mm": None, "gap_mm": None, "reason": "new", "override": "",
        "supersede": False, "stamp": stamp(),
    }  # fmt: skip
    return certify(store, name, **(given | options))  # type: ignore[arg-type]


def test_half_of_the_panels_need_no_confirmation(store: Store) -> None:
    assert certified(store, stored(store, 2)).warnings == ()


def test_less_than_half_is_confirmed_once(store: Store) -> None:
    name = stored(store, 1)
    with pytest.raises(InputError, match="measures 1 of 4 panels") as error:
        certified(store, name)
    assert error.value.code == "partial-coverage"
    assert "--partial" in error.value.remedy
    certified(store, name, partial=True, end="2026-04-01")
    certified(store, name, start="2026-05-01")


def test_the_proposed_command_confirms_what_it_has_to(store: Store) -> None:
    stored(store, 1)
    with pytest.raises(NotFoundError) as error:
        store.resolve(SERIAL, NOON + DAY, 150.0)
    words = shlex.split(error.value.remedy)
    assert words[:2] == ["calib", "certify"]
    assert "--partial" in words
    start = words[words.index("--from") + 1]
    certified(store, words[2], start=start, partial="--partial" in words)
    assert store.resolve(SERIAL, NOON + DAY, 150.0).calibration.name == words[2]
