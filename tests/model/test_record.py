"""What names a calibration, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from calib.errors import InputError
from calib.model.base.arrays import frozen, frozen_floats
from calib.model.detector.correction import Correction, PanelStatus
from calib.model.experiment.experiment import Beam, Crystal, Goniometer, Scan, Sensors
from calib.model.experiment.reflections import EXCLUDING_BITS, RECONSIDERED_BITS, Reflections
from calib.model.store.record import CalibrationRecord
from support.records import calibration

ROUNDING = 1e-14


def nudged(record: CalibrationRecord, **changes: Any) -> CalibrationRecord:
    """The record with parts of its estimate changed."""
    return replace(record, estimate=replace(record.estimate, **changes))


def variants(record: CalibrationRecord) -> dict[str, CalibrationRecord]:
    """The same record, each time with one thing changed by as little as can be."""
    estimate, report = record.estimate, record.report
    values, covariance = estimate.correction.values.copy(), estimate.covariance.copy()
    values[1, 2] = np.nextafter(values[1, 2], np.inf)
    covariance[3, 1] = np.nextafter(covariance[3, 1], np.inf)
    counts = estimate.n_reflections.copy()
    counts[0] += 1
    status = (PanelStatus.UNMEASURED, *estimate.status[1:])
    first = report.datasets[0]
    return {
        "serial": replace(record, serial="24-0108"),
        "layout": replace(record, layout_id="0" * 64),
        "distances": replace(record, distances_mm=(150.0, np.nextafter(400.0, 401.0))),
        "names": replace(record, panel_names=("x", *record.panel_names[1:])),
        "values": nudged(record, correction=Correction(values)),
        "covariance": nudged(record, covariance=covariance),
        "counts": nudged(record, n_reflections=counts),
        "status": nudged(record, status=status),
        "parameters": replace(record, parameters={**record.parameters, "free_beam": True}),
        "code": replace(record, code_version="0.1.1"),
        "report": replace(record, report=replace(report, gauge=3)),
        "acceptance": replace(record, acceptance=replace(record.acceptance, accepted=False)),
        "a dataset's files": replace(
            record,
            report=replace(
                report, datasets=(replace(first, sha256=("0" * 64,)), *report.datasets[1:])
            ),
        ),
    }


def test_everything_that_a_calibration_says_counts_for_its_name() -> None:
    record = calibration()
    found = {"itself": record.id, **{k: v.id for k, v in variants(record).items()}}
    assert len(set(found.values())) == len(found)


def test_a_calibration_has_the_same_name_however_often_it_is_made() -> None:
    assert calibration().id == calibration().id


def test_what_people_call_a_dataset_does_not_count() -> None:
    record = calibration()
    renamed = tuple(replace(d, name="other " + d.name) for d in record.report.datasets)
    other = replace(record, report=replace(record.report, datasets=renamed))
    assert other.id == record.id


def test_a_layouts_name_is_that_of_its_content() -> None:
    assert len(calibration().layout_id) == 64


# The values that calibrations are made from.


def reflections(n: int = 4, **changes: Any) -> Reflections:
    arrays: dict[str, Any] = {
        "experiment": np.zeros(n),
        "panel": np.zeros(n),
        "miller_index": np.ones((n, 3)),
        "centroid_mm": np.zeros((n, 3)),
        "variance_mm": np.ones((n, 3)),
        "flags": np.zeros(n),
    }
    return Reflections(**{**arrays, **changes})


def test_the_excluding_flags_are_those_of_formats_md() -> None:
    assert EXCLUDING_BITS == (10, 17, 25, 27)
    assert RECONSIDERED_BITS == (17, 25)
    table = reflections(4, flags=[0, 1 << 17, 1 << 10 | 1 << 2, 1 << 26])
    assert table.flagged(EXCLUDING_BITS).tolist() == [False, True, True, False]
    assert table.flagged(()).tolist() == [False] * 4


def test_indexed_means_an_experiment_and_an_index_other_than_none() -> None:
    table = reflections(
        3, experiment=[0, -1, 0], miller_index=[[0, 0, 1], [1, 1, 1], [0, 0, 0]], flags=[0, 4, 4]
    )
    assert table.indexed.tolist() == [True, False, False]


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"panel has shape \(3,\), expected \(4,\)"):
        reflections(4, panel=np.zeros(3))


def test_a_choice_of_reflections_keeps_their_rows_together() -> None:
    table = reflections(4, panel=[0, 1, 2, 3], flags=[0, 1, 2, 3])
    for chosen in (np.array([False, True, False, True]), np.array([1, 3])):
        few = table.where(chosen)
        assert few.panel.tolist() == few.flags.tolist() == [1, 3]


def test_arrays_are_copied_once_and_stand_still() -> None:
    given = np.zeros((2, 3), order="F")
    array = frozen(given, np.float64, (None, 3), "thing")
    given[0, 0] = 1.0
    assert array[0, 0] == 0.0
    assert array.flags.c_contiguous
    assert not array.flags.writeable
    with pytest.raises(InputError, match=r"thing has shape \(2, 3\), expected \('any', 2\)"):
        frozen(given, np.float64, (None, 2), "thing")
    with pytest.raises(InputError, match="thing contains NaN or infinity"):
        frozen_floats([np.inf], (1,), "thing")


def test_the_incident_wave_runs_from_the_source_with_its_own_length() -> None:
    beam = Beam(np.array([0.0, 0.3, 0.4]), 0.8)
    assert beam.s0 == pytest.approx([0.0, -0.75, -1.0])


def test_the_setting_matrix_belongs_to_the_basis() -> None:
    basis = np.array([[50.0, 1.0, 0.0], [0.0, 60.0, 2.0], [3.0, 0.0, 70.0]])
    product = basis @ Crystal(basis, " P 1").a_matrix
    assert np.abs(product - np.eye(3)).max() < 10.0 * ROUNDING


def test_the_spindle_is_a_unit_vector() -> None:
    goniometer = Goniometer(np.array([0.0, 0.0, 2.0]), np.eye(3), np.eye(3))
    assert goniometer.axis == pytest.approx([0.0, 0.0, 1.0])


def test_a_scan_ends_where_its_last_image_ends() -> None:
    scan = Scan((11, 20), 0.5, -0.01, None)
    assert scan.n_images == 10
    assert scan.end_rad == pytest.approx(0.4)


def test_sensors_of_unequal_numbers_are_refused() -> None:
    with pytest.raises(InputError, match=r"thickness has shape \(2,\), expected \(3,\)"):
        Sensors(np.zeros(3, dtype=bool), np.zeros(3), np.zeros(2))
