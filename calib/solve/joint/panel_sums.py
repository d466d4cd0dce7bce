"""Sums over cells of the panels and over blocks of time, of the reflections of one dataset."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.result.panel_sums import CELLS_ALONG, MARGIN_PX, MOST_BLOCKS, N_CELLS, PanelSums
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.prediction import panel_derivatives

_BLOCK_RAD = np.radians(2.0)


def panel_sums(fit: DatasetFit, correction: Correction, residuals: Floats) -> PanelSums:
    """Sums of the used reflections of a dataset with panels at ``correction``.

    ``residuals`` (3, m) are those of all reflections, in mm, mm and rad.
    """
    seen, n = fit.seen, len(fit.layout)
    used: Bools = np.asarray(fit.keep & np.isfinite(residuals).all(axis=0))
    panel, weight = seen.panel[used], fit.weights[:2, used]
    size = fit.layout.size_mm[panel].T
    place = seen.observed[:2, used]
    jacobian = _derivatives(fit, correction, used, place - 0.5 * size)
    pulls = weight * residuals[:2, used]
    column, row = _cells(place, size, fit.pixel_mm[:, used])
    cell = panel * N_CELLS + row * CELLS_ALONG + column

    def by_cell(values: Floats) -> Floats:
        sums = np.bincount(cell, values, n * N_CELLS).astype(np.float64)
        return sums.reshape(n, N_CELLS)

    block = _blocks(fit, used)
    count = int(block.max(initial=-1)) + 1
    place_of_block = block * n + panel

    def by_block(values: Floats) -> Floats:
        sums = np.bincount(place_of_block, values, count * n).astype(np.float64)
        return sums.reshape(count, n)

    both = range(2)
    return PanelSums(
        weight=np.stack([by_cell(weight[a]) for a in both], axis=2),
        pull=np.stack([by_cell(pulls[a]) for a in both], axis=2),
        gain=np.stack(
            [
                np.stack([by_cell(weight[a] * jacobian[a, k]) for k in range(N_PARAMETERS)], axis=2)
                for a in both
            ],
            axis=2,
        ),
        scores=np.stack(
            [by_block((jacobian[:, k] * pulls).sum(axis=0)) for k in range(N_PARAMETERS)], axis=2
        ),
    )


def _cells(place: Floats, size: Floats, pixel: Floats) -> Ints:
    """Column and row (2, m) of the cells at ``place`` (2, m) in mm."""
    inside = CELLS_ALONG - 2
    inner = 1 + np.clip((inside * place / size).astype(np.int64), 0, inside - 1)
    inner[place < MARGIN_PX * pixel] = 0
    inner[place > size - MARGIN_PX * pixel] = CELLS_ALONG - 1
    return np.asarray(inner)


def _derivatives(
    fit: DatasetFit, correction: Correction, used: Bools, from_centre: Floats
) -> Floats:
    """Derivatives (2, 6, m) of predicted positions by the panels' tangent motions.

    Rays come from the sample, so that their slopes follow from where they meet the panel.
    """
    predictor = fit.predictor(correction)
    pose = predictor.instrument.pose[fit.seen.experiment[used]]
    panel = fit.seen.panel[used]
    rotation = predictor.panel_rotation[:, :, pose, panel]
    away = np.einsum("ijm,im->jm", rotation, predictor.panel_centre_mm[:, pose, panel])
    out = np.zeros((2, N_PARAMETERS, from_centre.shape[1]))
    panel_derivatives(out, from_centre, *((away[:2] + from_centre) / away[2]))
    return out


def _blocks(fit: DatasetFit, used: Bools) -> Ints:
    """Number (m,) of the block of each used reflection: two degrees of a scan, or crystals in
    turn."""
    experiment = fit.seen.experiment[used].astype(np.int64)
    phi = np.where(fit.instrument.still[experiment], 0.0, fit.seen.observed[2, used])
    turn = np.floor(phi / _BLOCK_RAD).astype(np.int64)
    turn -= turn.min(initial=0)
    _, block = np.unique(experiment * (int(turn.max(initial=0)) + 1) + turn, return_inverse=True)
    count = int(block.max(initial=-1)) + 1
    return np.asarray(block * min(count, MOST_BLOCKS) // max(count, 1), dtype=np.int64)
