"""Calibrations by the linear model alone: what datasets say of the panels, without any scan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, CorrectionEstimate, Freedom, PanelStatus
from calib.model.detector.layout import Layout
from calib.solve.algebra.bspline import Penalty
from calib.solve.algebra.rigid_motion import gauge_directions, tangents_from_parameters
from calib.solve.dataset.schur import SchurComplement
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior

PRIOR = PanelPrior()


@dataclass(frozen=True)
class Seen:
    """One dataset's information over all six parameters of the panels, and what it found."""

    information: Floats
    vector: Floats
    panel_information: Floats
    n_reflections: Floats


def seen(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    n_reflections: Floats,
    freedom: Freedom = Freedom.FULL,
) -> Seen:
    """A dataset with so many reflections on each panel, its own pose eliminated.

    A reflection knows its panel's shift to 20 micrometres in the plane, and 100 along the normal.
    """
    n = len(layout)
    counts = n_reflections
    one = rng.normal(size=(n, 6, 8)) / [[0.02], [0.02], [0.1], [4e-3], [2e-3], [1e-3]]
    held = [k for k in range(6) if k not in freedom.free]
    one[:, held] = 0.0
    by_panel = np.einsum("nik,njk->nij", one, one) / 8.0 * counts[:, None, None]
    information = np.zeros((6 * n, 6 * n))
    for panel in range(n):
        own = slice(6 * panel, 6 * panel + 6)
        information[own, own] = by_panel[panel]
    noise = (one @ rng.normal(size=(n, 8, 1)))[..., 0] * np.sqrt(counts / 8.0)[:, None]
    vector = information @ truth.values.ravel() + noise.ravel()
    pose = rigid_motions(layout, freedom)
    reach = information @ pose
    back = np.linalg.pinv(pose.T @ reach, rcond=1e-12, hermitian=True)
    return Seen(
        information - reach @ back @ reach.T,
        vector - reach @ (back @ (pose.T @ vector)),
        by_panel,
        counts,
    )


def rigid_motions(layout: Layout, freedom: Freedom) -> Floats:
    """(6 n, k) the rigid motions within the free parameters, over all six."""
    n = len(layout)
    frames = layout.frames
    found = gauge_directions(
        frames.rotation,
        layout.centre_root_mm,
        tangents_from_parameters(Correction.none(n)),
        freedom,
    )
    out = np.zeros((n, 6, found.shape[1]))
    out[:, list(freedom.free)] = found.reshape(n, len(freedom.free), -1)
    return out.reshape(6 * n, -1)


def estimate(
    layout: Layout,
    datasets: Sequence[Seen],
    freedom: Freedom = Freedom.FULL,
    prior: PanelPrior = PRIOR,
) -> CorrectionEstimate:
    """What these datasets give together."""
    reduced = [
        SchurComplement(
            one.information,
            one.vector,
            one.panel_information,
            (),
            (),
            np.zeros((6, 0)),
            np.zeros((0, 6 * len(layout) + 1)),
            0,
            0,
            (),
            0,
            0.0,
            Penalty(),
        )
        for one in datasets
    ]
    step = PanelSystem(layout, freedom, prior).step(Correction.none(len(layout)), reduced)
    counts = np.sum([one.n_reflections for one in datasets], axis=0)
    return CorrectionEstimate(
        correction=step.correction,
        freedom=freedom,
        covariance=step.covariance,
        status=tuple(
            PanelStatus.UNMEASURED
            if count == 0
            else (PanelStatus.MEASURED if count >= 50 else PanelStatus.SPARSE)
            for count in counts
        ),
        n_reflections=np.round(counts).astype(np.int64),
    )
