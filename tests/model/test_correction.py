"""What a correction does to a layout, and what is known of an estimated one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import (
    PARAMETER_KEYS,
    PARAMETERS,
    Correction,
    CorrectionEstimate,
    Freedom,
    PanelStatus,
    covariance_from_bytes,
)
from calib.model.detector.frames import rotation_from_vector
from calib.model.detector.layout import Layout, PanelFrames, PanelShape

ROUNDING_MM = 1e-10
SEEDS = st.integers(0, 2**32 - 1)


def scattered_layout(rng: np.random.Generator, n_panels: int = 5) -> Layout:
    """Panels of different sizes and pixels, turned anyhow."""
    panels = tuple(
        PanelShape(
            f"p{k}",
            (int(rng.integers(50, 500)), int(rng.integers(50, 500))),
            (float(rng.uniform(0.05, 0.2)), float(rng.uniform(0.05, 0.2))),
        )
        for k in range(n_panels)
    )
    rotation = rotation_from_vector(rng.normal(size=(n_panels, 3)))
    return Layout(panels, PanelFrames(rotation, rng.normal(scale=100.0, size=(n_panels, 3))))


def some_correction(rng: np.random.Generator, n_panels: int, scale: float = 1.0) -> Correction:
    sigma = scale * np.array([0.1, 0.1, 0.05, 1e-3, 1e-3, 1e-3])
    return Correction(rng.normal(size=(n_panels, 6)) * sigma)


def centres(layout: Layout, frames: PanelFrames) -> Floats:
    return np.asarray(frames.points(0.5 * layout.size_mm[:, None, :])[:, 0])


@given(SEEDS, st.sampled_from([1e-6, 1.0, 300.0]))
def test_what_a_correction_did_can_be_read_off_the_panels(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    layout = scattered_layout(rng)
    correction = some_correction(rng, len(layout), scale)
    found = Correction.between(layout, correction.frames(layout))
    assert np.abs(found.values - correction.values).max() < ROUNDING_MM


@given(SEEDS)
def test_frames_give_a_correction_that_gives_the_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = scattered_layout(rng)
    frames = PanelFrames(
        rotation_from_vector(rng.normal(size=(len(layout), 3))),
        rng.normal(scale=100.0, size=(len(layout), 3)),
    )
    back = Correction.between(layout, frames).frames(layout)
    assert np.abs(back.rotation - frames.rotation).max() < 1e-12
    assert np.abs(back.origin_mm - frames.origin_mm).max() < ROUNDING_MM


@given(SEEDS)
def test_no_correction_leaves_every_panel_where_it_was_drawn(seed: int) -> None:
    layout = scattered_layout(np.random.default_rng(seed))
    frames = Correction.none(len(layout)).frames(layout)
    assert np.abs(frames.rotation - layout.frames.rotation).max() == 0.0
    assert np.abs(frames.origin_mm - layout.frames.origin_mm).max() < ROUNDING_MM


@given(SEEDS)
def test_a_panel_turns_about_its_centre(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = scattered_layout(rng)
    values = np.zeros((len(layout), 6))
    values[:, 3:] = rng.normal(scale=0.1, size=(len(layout), 3))
    moved = Correction(values).frames(layout)
    assert np.abs(centres(layout, moved) - layout.centre_root_mm).max() < ROUNDING_MM
    assert np.abs(moved.origin_mm - layout.frames.origin_mm).max() > 0.1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shift_runs_along_the_panels_own_nominal_axes(axis: int) -> None:
    rng = np.random.default_rng(4)
    layout = scattered_layout(rng)
    values = np.zeros((len(layout), 6))
    values[:, axis] = 0.25
    values[:, 3:] = rng.normal(scale=0.1, size=(len(layout), 3))
    shift = centres(layout, Correction(values).frames(layout)) - layout.centre_root_mm
    assert np.abs(shift - 0.25 * layout.frames.rotation[:, :, axis]).max() < ROUNDING_MM


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_turn_is_right_handed_about_the_panels_own_axes(axis: int) -> None:
    layout = scattered_layout(np.random.default_rng(5))
    values = np.zeros((len(layout), 6))
    values[:, 3 + axis] = 0.1
    rotation = Correction(values).frames(layout).rotation
    first, second = (axis + 1) % 3, (axis + 2) % 3
    nominal = layout.frames.rotation
    expected = np.cos(0.1) * nominal[:, :, first] + np.sin(0.1) * nominal[:, :, second]
    assert np.abs(rotation[:, :, first] - expected).max() < 1e-12
    assert np.abs(rotation[:, :, axis] - nominal[:, :, axis]).max() < 1e-12


@given(SEEDS)
def test_a_correction_knows_nothing_of_the_pose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = scattered_layout(rng)
    correction = some_correction(rng, len(layout))
    turn, shift = rotation_from_vector(rng.normal(size=3)), rng.normal(scale=300.0, size=3)
    moved = Layout(
        layout.panels,
        PanelFrames(turn @ layout.frames.rotation, layout.frames.origin_mm @ turn.T + shift),
    )
    here, there = correction.frames(layout), correction.frames(moved)
    assert np.abs(turn @ here.rotation - there.rotation).max() < 1e-12
    assert np.abs(here.origin_mm @ turn.T + shift - there.origin_mm).max() < ROUNDING_MM


def test_a_correction_of_another_number_of_panels_is_refused() -> None:
    layout = scattered_layout(np.random.default_rng(0), 3)
    with pytest.raises(InputError, match="correction of 2 panels for a layout of 3"):
        Correction.none(2).frames(layout)
    with pytest.raises(InputError, match=r"correction has shape \(2, 5\), expected \(2, 6\)"):
        Correction(np.zeros((2, 5)))
    with pytest.raises(InputError, match="correction contains NaN"):
        Correction(np.full((2, 6), np.nan))


def estimate(freedom: Freedom, n_panels: int = 3, seed: int = 0) -> CorrectionEstimate:
    rng = np.random.default_rng(seed)
    size = n_panels * len(freedom.free)
    root = rng.normal(size=(size, size))
    values = np.zeros((n_panels, 6))
    values[:, freedom.free] = rng.normal(size=(n_panels, len(freedom.free)))
    status = (PanelStatus.MEASURED, PanelStatus.SPARSE, PanelStatus.UNMEASURED)
    return CorrectionEstimate(
        Correction(values), freedom, root @ root.T, status[:n_panels], np.arange(n_panels)
    )


@pytest.mark.parametrize("freedom", list(Freedom))
def test_sigmas_are_those_of_the_free_parameters_and_unknown_for_held_ones(
    freedom: Freedom,
) -> None:
    found = estimate(freedom)
    variances = np.diag(found.covariance).reshape(3, -1)
    assert found.sigma[:, freedom.free] ** 2 == pytest.approx(variances)
    held = [k for k in range(6) if k not in freedom.free]
    assert np.isnan(found.sigma[:, held]).all()


def test_in_plane_means_both_shifts_in_the_plane_and_the_turn_about_the_normal() -> None:
    assert [PARAMETERS[k] for k in Freedom.IN_PLANE.free] == ["dx", "dy", "rz"]
    assert [PARAMETERS[k] for k in Freedom.FULL.free] == list(PARAMETERS)


@pytest.mark.parametrize("freedom", list(Freedom))
def test_a_covariance_survives_the_way_through_its_bytes(freedom: Freedom) -> None:
    found = estimate(freedom)
    covariance = 0.5 * (found.covariance + found.covariance.T)
    packed = found.covariance_bytes()
    assert len(packed) == 8 * len(covariance) * (len(covariance) + 1) // 2
    back = covariance_from_bytes(packed, len(covariance))
    assert np.array_equal(back, back.T)
    assert np.array_equal(np.tril(back), np.tril(found.covariance))


def test_covariance_bytes_of_another_size_are_refused() -> None:
    with pytest.raises(InputError, match="6 covariances, expected a triangle of 4"):
        covariance_from_bytes(np.zeros(6).tobytes(), 4)


def test_panel_rows_are_shown_in_mm_and_mrad_and_null_where_held() -> None:
    found = estimate(Freedom.IN_PLANE)
    row = found.panel_rows(("a", "b", "c"))[1]
    assert (row["panel"], row["name"], row["status"], row["n_reflections"]) == (1, "b", "sparse", 1)
    values, sigma = found.correction.values[1], found.sigma[1]
    assert row["dx_mm"] == values[0]
    assert row["rz_mrad"] == pytest.approx(1e3 * values[5])
    assert row["sigma"]["rz_mrad"] == pytest.approx(1e3 * sigma[5])
    assert row["sigma"]["dz_mm"] is None
    assert list(row["sigma"]) == list(PARAMETER_KEYS)


def test_an_estimate_whose_parts_do_not_fit_together_is_refused() -> None:
    good = estimate(Freedom.FULL)
    with pytest.raises(InputError, match="2 panel states for 3 panels"):
        CorrectionEstimate(
            good.correction, good.freedom, good.covariance, good.status[:2], good.n_reflections
        )
    with pytest.raises(InputError, match="covariance has shape"):
        CorrectionEstimate(
            good.correction, Freedom.IN_PLANE, good.covariance, good.status, good.n_reflections
        )
    with pytest.raises(InputError, match="n_reflections has shape"):
        CorrectionEstimate(
            good.correction, good.freedom, good.covariance, good.status, good.n_reflections[:2]
        )
