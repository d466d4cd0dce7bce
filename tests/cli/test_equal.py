"""Results that differ by rounding only are the same; the kernel that rounds is recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calib.flows.shared.equal import equal_calibration, largest_difference_sigma
from calib.model.detector.correction import Correction
from calib.model.store.record import CalibrationRecord, ChangeStamp
from calib.store.store import Store
from support.commands import done, program

OTHER_KERNEL = {"OPENBLAS_CORETYPE": "Nehalem"}


def moved(record: CalibrationRecord, sigmas: float) -> CalibrationRecord:
    """The record with one parameter moved by this many of its sigmas."""
    values = record.estimate.correction.values.copy()
    values[1, 0] += sigmas * record.estimate.sigma[1, 0]
    return replace(record, estimate=replace(record.estimate, correction=Correction(values)))


def blas(reference: str) -> str:
    """The linear algebra of a derivation."""
    environment = done("show", reference, "--json").json["provenance"]["environment"]
    return str(environment["blas"])


def test_the_result_of_another_kernel_is_the_same(here: Path) -> None:
    again = program("rederive", "24-0107:1", "--from", here, "--json", **OTHER_KERNEL)
    assert again.code == 0, again.stderr
    found = again.json
    if not found["environment_differences"]:
        pytest.skip("numpy uses another library than OpenBLAS, or this kernel already")
    assert found["environment_differences"] == [
        f"blas {blas('24-0107:1')} against {blas('24-0107:1').rsplit(' ', 1)[0]} Nehalem"
    ]
    assert found["largest_difference_sigma"] < 1e-6


def test_derive_names_the_equal_calibration_and_stores_nothing(here: Path) -> None:
    done("init", "--store", "new.sqlite")
    with Store.open("beamline.sqlite", read_only=True) as store, Store.open("new.sqlite") as new:
        stored = store.calibrations.get("24-0107:1")
        new.calibrations.add(
            moved(stored.record, 1e-9),
            stored.starts,
            ChangeStamp(datetime.now(UTC), "ada", "here"),
            store.detectors.get("24-0107"),
            store.summaries.read(stored),
        )
    found = done("derive", "night1.expt", "night1.refl", "--store", "new.sqlite", "--json").json
    assert (found["new"], found["calibration"]["version"]) == (False, 1)
    assert "24-0107:1 is equal: it differs by 1.0e-09 sigma" in found["notices"][-1]
    assert len(done("list", "--store", "new.sqlite", "--json").json) == 1


@pytest.mark.parametrize(("sigmas", "equal"), [(0.9e-6, True), (1.1e-6, False), (-1.1e-6, False)])
def test_calibrations_are_equal_below_a_millionth_of_a_sigma(
    here: Path, sigmas: float, equal: bool
) -> None:
    with Store.open("beamline.sqlite", read_only=True) as store:
        record = store.calibrations.get("24-0107:1").record
        other = moved(record, sigmas)
        assert largest_difference_sigma(record, other) == pytest.approx(abs(sigmas), rel=1e-3)
        found = equal_calibration(store, other)
        assert (found is not None and found.stored.name == "24-0107:1") == equal


def test_the_calibration_itself_is_not_another_that_is_equal(here: Path) -> None:
    with Store.open("beamline.sqlite", read_only=True) as store:
        assert equal_calibration(store, store.calibrations.get("24-0107:1").record) is None


@pytest.mark.parametrize("what", ["parameters", "version", "covariance", "data"])
def test_calibrations_of_other_origin_or_uncertainty_are_not_equal(here: Path, what: str) -> None:
    with Store.open("beamline.sqlite", read_only=True) as store:
        record = moved(store.calibrations.get("24-0107:1").record, 1e-9)
        estimate = record.estimate
        other = {
            "parameters": replace(record, parameters={**record.parameters, "keep_all": True}),
            "version": replace(record, code_version="0.0.1"),
            "covariance": replace(
                record, estimate=replace(estimate, covariance=estimate.covariance * (1.0 + 4e-6))
            ),
            "data": replace(record, report=store.calibrations.get("24-0107:2").record.report),
        }[what]
        assert equal_calibration(store, record) is not None
        assert equal_calibration(store, other) is None
