"""scipy's ``least_squares`` on the residuals that calib minimises: ``least_squares.py EXPT REFL``.

The same reflections, weights and prior, with numerical derivatives, and a soft loss in place of
outlier rejection: the straightforward solution, as a reference.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from calib.files.dials.pairing import load_datasets
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.parameters import Step
from calib.solve.dataset.symmetry import turned_strains
from calib.solve.options import SolveOptions
from calib.solve.prior import PanelPrior

_UNIT = np.array([1.0] * 3 + [1e-3] * 3)
"""Scale of the six parameters: shifts in mm, rotations in rad."""


def main() -> None:
    """Solve, and print the rms shift of the panels."""
    (dataset,) = load_datasets([Path(name) for name in sys.argv[1:]])
    layout, prior = known_layout("PILATUS 6M"), PanelPrior()
    pose = dataset.detector.lab_from_root
    assert pose is not None
    start = DatasetFit.start(dataset, layout, pose, SolveOptions(Freedom.FULL, prior))
    start, _ = start.refined_at(Correction.none(len(layout)), robust=True, iterations=12)
    strains = turned_strains(start.instrument.strains[0], start.nuisance.turned[0])
    n, n_strains = 6 * len(layout), strains.shape[1]

    def panels(x: Floats) -> Correction:
        return Correction(x[:n].reshape(-1, 6) * _UNIT)

    def cost(x: Floats) -> Floats:
        crystal = np.concatenate([x[n + 6 : n + 9] * 1e-3, strains @ x[n + 9 :] * 1e-3])
        step = Step(x[n : n + 6] * _UNIT, np.zeros((1, 6)), (crystal[None],), 0.0)
        data = start.moved(step).residuals(panels(x)) / start.seen.sigma
        leaning = (panels(x).values / prior.sigma()).ravel()
        return np.concatenate([np.nan_to_num(data, nan=10.0).ravel(), leaning])

    zero = np.zeros(n + 9 + n_strains)
    found = least_squares(cost, zero, x_scale="jac", loss="soft_l1", f_scale=2.0)
    shift = 1e3 * np.sqrt((panels(found.x).values[:, :3] ** 2).mean())
    print(f"{found.message} {found.nfev} evaluations, panels moved {shift:.0f} um rms")


if __name__ == "__main__":
    main()
