"""Which experiments of a file fit worse than the others, judged by their median residuals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.model.base.arrays import Floats
from calib.model.result.report import Reason
from calib.simulate.scan import ScanPlan
from calib.solve.joint.misindexed import (
    ExperimentResiduals,
    MisindexedExperiment,
    _least_rad,
    find_misindexed_experiments,
)
from support.scenes import simulation

USUAL_PX, USUAL_RAD, LEAST_RAD = 0.2, 2e-3, 5e-3
N = 100
"""Reflections of each experiment."""


def residuals(count: int = 10, *, still: bool = False) -> ExperimentResiduals:
    """Experiments that all fit equally well."""
    return ExperimentResiduals(
        name="file",
        sha256=("ab" * 32,),
        experiment=np.arange(count) + 5,
        still=np.full(count, still),
        px=np.full(count, USUAL_PX),
        angle_rad=np.full(count, USUAL_RAD),
        least_rad=np.full(count, LEAST_RAD),
        n_lost=np.zeros(count, dtype=np.int64),
        n=np.full(count, N),
        n_all=count * N,
    )


def put(values: Floats, place: int, value: float) -> Floats:
    out = values.copy()
    out[place] = value
    return out


def suspects(*files: ExperimentResiduals) -> list[tuple[MisindexedExperiment, ...]]:
    return find_misindexed_experiments(files, ())


def test_experiments_that_fit_alike_are_not_suspected() -> None:
    assert suspects(residuals()) == [()]
    assert suspects(residuals(), residuals(2), residuals(3, still=True)) == [(), (), ()]


def test_a_large_residual_in_the_plane_is_reported_in_px() -> None:
    good = residuals()
    ((one,),) = suspects(replace(good, px=put(good.px, 3, 2.0)))
    assert one == MisindexedExperiment(8, Reason.SCATTER, 2.0, USUAL_PX, 0, N)
    entry = one.as_misfit(good, "name")
    assert (entry.scatter_px, entry.usual_px) == (2.0, USUAL_PX)
    assert (entry.scatter_mrad, entry.usual_mrad) == (None, None)
    assert (entry.name, entry.sha256, entry.identifier) == ("file", good.sha256, "name")
    assert (entry.experiment, entry.n_lost, entry.n_reflections) == (8, 0, N)


def test_a_large_residual_in_angle_is_reported_in_mrad() -> None:
    good = residuals()
    ((one,),) = suspects(replace(good, angle_rad=put(good.angle_rad, 3, 0.02)))
    assert one == MisindexedExperiment(8, Reason.ANGLE, 0.02, USUAL_RAD, 0, N)
    entry = one.as_misfit(good, "")
    assert (entry.scatter_px, entry.usual_px) == (None, None)
    assert entry.scatter_mrad == pytest.approx(20.0)
    assert entry.usual_mrad == pytest.approx(2.0)


def test_an_experiment_that_is_wrong_in_both_is_reported_in_px() -> None:
    good = residuals()
    wrong = replace(good, px=put(good.px, 3, 2.0), angle_rad=put(good.angle_rad, 3, 0.02))
    ((one,),) = suspects(wrong)
    assert (one.reason, one.scatter) == (Reason.SCATTER, 2.0)


def test_an_experiment_that_cannot_be_predicted_has_no_residual() -> None:
    good = residuals()
    lost = replace(
        good,
        px=put(good.px, 3, np.inf),
        angle_rad=put(good.angle_rad, 3, np.inf),
        n_lost=np.where(np.arange(10) == 3, 60, 0),
    )
    ((one,),) = suspects(lost)
    assert one == MisindexedExperiment(8, Reason.LOST, None, USUAL_PX, 60, N)
    entry = one.as_misfit(good, "")
    assert (entry.scatter_px, entry.usual_px) == (None, USUAL_PX)
    assert (entry.scatter_mrad, entry.usual_mrad) == (None, None)


def test_angles_of_stills_are_compared_with_those_of_stills_and_of_scans_with_scans() -> None:
    """Delta-psi of stills may scatter twenty times as much as phi of scans."""
    stills, scans = residuals(2, still=True), residuals(2)
    wide = replace(stills, angle_rad=20.0 * stills.angle_rad)
    assert suspects(wide, wide, scans, scans) == [(), (), (), ()]
    wrong = replace(scans, angle_rad=20.0 * scans.angle_rad)
    found = suspects(wide, wide, wrong, scans)
    assert [len(one) for one in found] == [0, 0, 2, 0]


def test_residuals_within_half_an_image_do_not_count() -> None:
    for image_deg, least in ((0.1, LEAST_RAD), (2.0, np.radians(1.0))):
        _, _, scan = simulation("PILATUS 300K", n_reflections=100, distance_mm=120.0)
        models = scan.dataset.experiments
        width = replace(models.scans[0], width_rad=-np.radians(image_deg))
        assert _least_rad(replace(models, scans=(width,)), 0) == pytest.approx(least)
    still = replace(models, experiments=(replace(models.experiments[0], scan=None),))
    assert _least_rad(still, 0) == LEAST_RAD
    assert ScanPlan().image_rad < LEAST_RAD
