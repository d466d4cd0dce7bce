"""Effects of data reduction: centroids, variances, indices, flags and missing reflections."""

from __future__ import annotations

import numpy as np
import pytest

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.simulate.effects.bias import IntensityBias, PartialityBias
from calib.simulate.effects.effect import Effect, Measured
from calib.simulate.effects.flags import RigidFlags, far_from_most
from calib.simulate.effects.noise import ClaimedVariances, CorrelatedNoise, HeavyTails
from calib.simulate.effects.panel import MovedPanel
from calib.simulate.effects.shadow import LoneOutlier, MissingHalf
from support.effect_laws import (
    LAYOUT,
    PIXEL_MM,
    RANGE_RAD,
    exact,
    exact_stills,
    plain,
    scan,
    share_of,
)

N = 3000
STARTS = ("start_shift_mm", "start_turn_rad", "start_crystal_rad", "start_cell_share")


def errors_px(*effects: Effect) -> Floats:
    """(n, 2) errors of positions: with effects and noise, against neither."""
    one, other = exact(n=N), scan(*effects, n=N, **dict.fromkeys(STARTS, 0.0))
    assert np.array_equal(one.dataset.reflections.panel, other.dataset.reflections.panel)
    off = other.dataset.reflections.centroid_mm - one.dataset.reflections.centroid_mm
    return np.asarray(off[:, :2] / PIXEL_MM)


def test_claimed_variances_are_wrong_by_their_factor_and_centroids_are_the_same() -> None:
    one, other = scan(n=N), scan(ClaimedVariances(1e8), n=N)
    a, b = one.dataset.reflections, other.dataset.reflections
    assert b.variance_mm == pytest.approx(1e8 * a.variance_mm, rel=1e-12)
    assert np.array_equal(a.centroid_mm, b.centroid_mm)


def test_heavy_tails_have_the_kurtosis_of_their_degrees() -> None:
    normal, heavy = errors_px(), errors_px(HeavyTails(3.0))
    assert np.abs(normal).max() < 0.55
    assert np.abs(heavy).max() > 0.8
    # Student's t of three degrees: half of the errors are below .765 scales, as against .674.
    assert np.median(np.abs(heavy)) / 0.1 == pytest.approx(0.765, abs=0.03)
    assert np.median(np.abs(normal)) / 0.1 == pytest.approx(0.674, abs=0.03)
    assert np.abs(errors_px(HeavyTails(1e9)) - normal).max() < 1e-3


def test_correlated_noise_is_common_to_a_moment_and_independent_of_later_ones() -> None:
    off = errors_px(CorrelatedNoise(0.4, 0.05)) - errors_px()
    share = share_of(exact(n=N))
    order = np.argsort(share)
    step = np.diff(off[order], axis=0)
    assert np.abs(step).max() < 0.4 * 6.0 * np.diff(share[order]).max() / 0.05
    assert off.std() == pytest.approx(0.4 * np.sqrt(2.0 / 3.0), rel=0.35)
    nodes = np.array([off[np.argmin(np.abs(share - k * 0.05))] for k in range(20)])
    assert abs(np.corrcoef(nodes[1:, 0], nodes[:-1, 0])[0, 1]) < 0.6


def test_strong_spots_are_displaced_by_their_size_for_each_decade() -> None:
    seen: list[Floats] = []

    class Watching(Effect):
        def read(self, rng: np.random.Generator, measured: Measured) -> Measured:
            seen.append(measured.intensity)
            return measured

    off = errors_px(IntensityBias((0.0, 0.2)), Watching()) - errors_px()
    (intensity,) = seen
    slope, _ = np.polyfit(np.log10(intensity), off[:, 1], 1)
    assert slope == pytest.approx(0.2, abs=1e-6)
    assert np.abs(off[:, 0]).max() < 1e-9
    assert intensity.mean() == pytest.approx(1.05, abs=0.06)


def test_reflections_at_the_ends_of_a_scan_are_displaced_along_the_radius() -> None:
    off = errors_px(PartialityBias(0.5)) - errors_px()
    phi = share_of(exact(n=N)) * RANGE_RAD
    size = np.linalg.norm(off, axis=1)
    end = np.minimum(phi, RANGE_RAD - phi)
    assert size[end > np.radians(1.5)].max() < 1e-4
    # Half of a reflection is recorded whose centre is at the very end.
    assert size[np.argmin(end)] == pytest.approx(0.25, abs=0.08)


def test_partly_recorded_reflections_of_stills_move_with_their_distance_from_the_sphere() -> None:
    ideal, off = exact_stills(), exact_stills(PartialityBias(0.5))
    shift = (off.dataset.reflections.centroid_mm - ideal.dataset.reflections.centroid_mm)[:, :2]
    size = np.linalg.norm(shift, axis=1) / PIXEL_MM
    expected = 0.5 * (1.0 - np.exp(-0.5 * (ideal.delta_psi_rad / 2e-3) ** 2))
    assert size == pytest.approx(expected, abs=1e-6)


def test_a_missing_half_has_no_reflections_and_the_other_half_keeps_its_own() -> None:
    found = exact(MissingHalf(0.34))
    counts = np.bincount(found.dataset.reflections.panel, minlength=3)
    place = LAYOUT.centre_root_mm[:, 1]
    dark = int(np.argmin(place))
    assert counts[dark] == 0
    before = np.bincount(plain().dataset.reflections.panel, minlength=3)
    others = [index for index in range(3) if index != dark]
    assert counts[others].tolist() == before[others].tolist()
    assert len(found.outlier) == counts.sum()


def test_flags_of_a_rigid_refinement_are_on_the_panel_that_is_displaced() -> None:
    found = scan(MovedPanel(1, (0.25, 0.0, 0.0)), RigidFlags(), n=N)
    table = found.dataset.reflections
    flagged = table.flagged((17,))
    share = [flagged[table.panel == panel].mean() for panel in range(3)]
    nothing = scan(RigidFlags(), n=N).dataset.reflections.flagged((17,))
    assert share[1] > 2.0 * np.mean(nothing)
    assert share[1] > share[0]
    assert share[1] > share[2]
    assert np.array_equal(scan(RigidFlags(), n=N).dataset.reflections.centroid_mm[:, 0],
                          scan(n=N).dataset.reflections.centroid_mm[:, 0])  # fmt: skip


def test_what_is_far_from_most_of_a_normal_sample_is_one_in_forty() -> None:
    rng = np.random.default_rng(5)
    sample = rng.normal(size=(4000, 3)) @ np.array([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [0, 0, 1e-3]])
    assert far_from_most(sample).mean() == pytest.approx(0.025, abs=0.012)
    sample[:800, 0] += 30.0
    assert far_from_most(sample)[:800].all()
    assert far_from_most(sample)[800:].mean() < 0.06


def test_flags_of_a_rigid_refinement_are_not_for_stills() -> None:
    with pytest.raises(InputError) as caught:
        exact_stills(RigidFlags())
    assert caught.value.code == "not-for-stills"


def test_a_panel_with_one_reflection_has_it_off_by_its_size() -> None:
    found, ideal = exact(LoneOutlier(1, 8.0)), plain()
    table, one = found.dataset.reflections, ideal.dataset.reflections
    (mine,) = np.flatnonzero(table.panel == 1)
    first = np.flatnonzero(one.panel == 1)[0]
    off = (table.centroid_mm[mine] - one.centroid_mm[first])[:2] / PIXEL_MM
    assert off == pytest.approx([8.0, 4.0], abs=1e-6)
    assert len(table) == (one.panel != 1).sum() + 1
