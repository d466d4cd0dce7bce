"""Effects of panels, chips, pixels and the sensor move spots by their sizes, at their places."""

from __future__ import annotations

import numpy as np
import pytest

from calib.simulate.effects.bias import EdgeBias, PositionBias
from calib.simulate.effects.bow import Bow
from calib.simulate.effects.chip import ChipOffsets, WideGaps
from calib.simulate.effects.effect import Effect
from calib.simulate.effects.panel import MovedPanel
from calib.simulate.effects.pixel import PixelSize
from calib.simulate.effects.sensor import SensorThickness
from support.effect_laws import LAYOUT, PIXEL_MM, POSE, TRUTH, exact, fits, moved_px

N = 3000


def test_chips_displace_all_their_spots_by_one_offset_each() -> None:
    shift, at, panel = moved_px(ChipOffsets(0.3, (4, 2), seed=2), n=N)
    size = np.array(LAYOUT.panels[0].size_px)
    part = np.floor(at / size * [4, 2]).astype(int)
    inner = (np.abs(at / size * [4, 2] - np.round(at / size * [4, 2])) > 0.02).all(axis=1)
    found = []
    for key in sorted({(p, *q) for p, q in zip(panel.tolist(), part.tolist(), strict=True)}):
        mine = inner & (panel == key[0]) & (part == key[1:]).all(axis=1)
        if mine.sum() > 3:
            assert np.ptp(shift[mine], axis=0) == pytest.approx([0.0, 0.0], abs=1e-6)
            found.append(shift[mine][0])
    assert len(found) == 3 * 8
    assert np.std(found) == pytest.approx(0.3, rel=0.35)


def test_wide_pixels_compress_the_image_by_a_step_at_each_border() -> None:
    shift, at, _ = moved_px(WideGaps(2.0, (4, 1)), n=N)
    size = LAYOUT.panels[0].size_px[0]
    # Two pixels of twice the width at three borders: six pixels too many, half on each side.
    chip = np.floor(at[:, 0] / size * 4)
    far = np.abs(at[:, 0] / size * 4 - np.round(at[:, 0] / size * 4)) * size / 4 > 5.0
    for number, step in enumerate((3.0, 1.0, -1.0, -3.0)):
        mine = far & (chip == number)
        assert mine.sum() > 50
        assert shift[mine, 0] == pytest.approx(np.full(mine.sum(), step), abs=1e-6)
    assert np.abs(shift[:, 1]).max() < 1e-6


def test_wide_pixels_leave_no_position_unread_nor_read_twice() -> None:
    rng = np.random.default_rng(1)
    mm = np.sort(rng.uniform(0.0, LAYOUT.size_mm[0, 0], 500))
    point = np.column_stack([mm, np.full(500, 5.0)])
    beside = WideGaps(1.5).inside(LAYOUT, np.zeros(500, dtype=int), point)[:, 0]
    assert (np.diff(mm - beside) > 0.0).all()


def slopes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the rays of the plain scan: (n, 2) steps along fast and slow for a step in height."""
    table = exact(n=N).dataset.reflections
    frames = TRUTH.frames(LAYOUT).moved(POSE)
    rotation = frames.rotation[table.panel]
    flat = np.pad(table.centroid_mm[:, :2], ((0, 0), (0, 1)))
    ray = np.einsum("nij,nj->ni", rotation, flat) + frames.origin_mm[table.panel]
    local = np.einsum("nji,nj->ni", rotation, ray)
    return local[:, :2] / local[:, 2:], table.centroid_mm[:, :2] / PIXEL_MM, table.panel


def test_a_bowed_panel_moves_spots_by_its_height_times_the_slope_of_the_ray() -> None:
    shift, at, panel = moved_px(Bow(0.2), n=N)
    slope, px, on = slopes()
    place = {(p, *np.round(q, 4)): s for p, q, s in zip(on.tolist(), px, slope, strict=True)}
    mine = np.array([place[(p, *np.round(q, 4))] for p, q in zip(panel.tolist(), at, strict=True)])
    unit = 2.0 * at / LAYOUT.panels[0].size_px - 1.0
    height = 0.2 * (1.0 - 0.5 * (unit**2).sum(axis=1))
    assert shift * PIXEL_MM == pytest.approx(mine * height[:, None], abs=2e-3)
    assert np.abs(shift * PIXEL_MM).max() > 0.03


def test_a_thicker_sensor_moves_spots_outwards_by_the_deeper_absorption() -> None:
    stated = {"sensor_mm": 0.3, "sensor_mu_per_mm": 1.5, "n": N}
    shift, at, panel = moved_px(SensorThickness(2.0), **stated)
    frames = TRUTH.frames(LAYOUT).moved(POSE)
    rotation = frames.rotation[panel]
    flat = np.pad(at * PIXEL_MM, ((0, 0), (0, 1)))
    ray = np.einsum("nij,nj->ni", rotation, flat) + frames.origin_mm[panel]
    local = np.einsum("nji,nj->ni", rotation, ray)
    unit = local / np.linalg.norm(local, axis=1, keepdims=True)
    cosine = np.abs(unit[:, 2])

    def depth(thickness_mm: float) -> np.ndarray:
        """The mean of the path that a photon has gone when it is absorbed, 0 if it is not."""
        path = thickness_mm / cosine
        along = (np.arange(2000.0) + 0.5)[None] / 2000.0 * path[:, None]
        return np.asarray((1.5 * np.exp(-1.5 * along) * along).mean(axis=1) * path)

    expected = (depth(0.6) - depth(0.3))[:, None] * unit[:, :2] / PIXEL_MM
    assert shift == pytest.approx(expected, abs=5e-3)
    assert np.linalg.norm(shift, axis=1).max() > 0.1


def test_larger_pixels_draw_positions_towards_the_centre_of_each_panel() -> None:
    shift, at, _ = moved_px(PixelSize(1e-3), n=N)
    from_centre = at - 0.5 * np.array(LAYOUT.panels[0].size_px)
    assert shift == pytest.approx(-1e-3 * from_centre, abs=1e-3)


def test_a_detector_whose_places_scale_with_its_pixels_is_a_magnified_one() -> None:
    truth = PixelSize(1e-3, places_too=True).displaced(LAYOUT, TRUTH)
    centre = LAYOUT.centre_root_mm
    moved = truth.frames(LAYOUT).points(0.5 * LAYOUT.size_mm[:, None])[:, 0]
    before = TRUTH.frames(LAYOUT).points(0.5 * LAYOUT.size_mm[:, None])[:, 0]
    assert moved - before == pytest.approx(1e-3 * (centre - centre.mean(axis=0)), abs=1e-9)


def test_edges_draw_centroids_inwards_by_their_size_and_depth() -> None:
    shift, at, _ = moved_px(EdgeBias(0.4, 3.0), n=N)
    for side, size in enumerate(LAYOUT.panels[0].size_px):
        expected = 0.4 * (np.exp(-at[:, side] / 3.0) - np.exp(-(size - at[:, side]) / 3.0))
        assert shift[:, side] == pytest.approx(expected, abs=0.06)
    middle = ((at > 30) & (at < np.array(LAYOUT.panels[0].size_px) - 30)).all(axis=1)
    assert np.abs(shift[middle]).max() < 1e-3
    assert shift.max() > 0.1


def test_a_bias_by_position_has_its_root_mean_square_and_is_smooth() -> None:
    shift, at, panel = moved_px(PositionBias(0.2, seed=1), n=N)
    assert shift.std() == pytest.approx(0.2, rel=0.3)
    mine = np.flatnonzero(panel == 1)
    first = np.argsort(np.linalg.norm(at[mine] - at[mine[0]], axis=1))[:4]
    near = np.linalg.norm(at[mine[first]] - at[mine[0]], axis=1).max()
    assert np.abs(shift[mine[first]] - shift[mine[0]]).max() < 0.2 * 4.0 * np.pi * near / 195


@pytest.mark.parametrize(
    "effect",
    [ChipOffsets(0.3), PositionBias(0.2), WideGaps(1.5), Bow(0.1), EdgeBias(), PixelSize(1e-3)],
)
def test_what_is_inside_a_panel_stays_the_same_in_all_datasets(effect: Effect) -> None:
    point = np.random.default_rng(0).uniform(0.0, 30.0, (20, 2))
    panel = np.full(20, 1)
    once, again = (effect.inside(LAYOUT, panel, point) for _ in range(2))
    assert np.array_equal(once, again)
    assert once.any()


def test_a_moved_panel_is_where_it_was_moved_to_and_the_others_are_not() -> None:
    shift, _, panel = moved_px(MovedPanel(1, (0.1, 0.0, 0.0)), n=N)
    assert shift[panel == 1, 0] == pytest.approx(
        np.full((panel == 1).sum(), -0.1 / PIXEL_MM), abs=0.02
    )
    assert np.abs(shift[panel != 1]).max() < 1e-6
    assert not fits(exact(MovedPanel(1)))
