"""What each dataset moves: the solution without it, from the equations that are there anyway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from calib.model.arrays import Floats
from calib.model.correction import Correction
from calib.model.layout import Layout
from calib.model.report import Influence
from calib.solve.known import Spoken
from calib.solve.panels import Normal
from calib.solve.twist import parameters_from_twists


def influences(
    layout: Layout,
    normal: Normal,
    correction: Correction,
    spoken: Sequence[Spoken],
    sigma: Floats,
) -> tuple[Influence | None, ...]:
    """How far the solution moves when each dataset is left out; None where it is the only one.

    ``normal`` are the equations of all that is ``spoken`` at ``correction``; ``sigma`` (n, f) are
    the standard uncertainties of the free parameters. Prior and gauge are those of all datasets.
    """
    if len(spoken) < 2:
        return (None,) * len(spoken)
    n, f = sigma.shape
    by = np.linalg.inv(parameters_from_twists(layout, correction))[:, :, normal.free]
    whole = _solution(normal.matrix, normal.vector)
    found = []
    for one in spoken:
        coupling = np.einsum("rpa,paf->rpf", one.coupling.reshape(-1, n, 6), by, optimize=True)
        coupling = coupling.reshape(-1, n * f)
        matrix = normal.matrix + coupling.T @ coupling
        panels = matrix.reshape(n, f, n, f)
        panels[np.arange(n), :, np.arange(n)] -= by.transpose(0, 2, 1) @ one.own @ by
        vector, _ = one.at(layout, correction)
        said = np.einsum("paf,pa->pf", by, vector.reshape(n, 6)).ravel()
        shift = np.abs(_solution(matrix, normal.vector - said) - whole) / sigma.ravel()
        found.append(
            Influence(
                rms_sigma=float(np.sqrt(np.mean(shift**2))),
                largest_sigma=float(shift.max()),
                panel=int(shift.argmax()) // f,
            )
        )
    return tuple(found)


def _solution(matrix: Floats, vector: Floats) -> Floats:
    scale = 1.0 / np.sqrt(np.diag(matrix))
    factor = cho_factor(matrix * np.outer(scale, scale), lower=True)
    return np.asarray(scale * cho_solve(factor, scale * vector))
