"""What each dataset moves: the solution without it, from the equations that are there anyway."""

from __future__ import annotations

import numpy as np

from calib.model.arrays import Floats
from calib.model.correction import Correction
from calib.model.layout import Layout
from calib.model.report import Influence
from calib.solve.known import Spoken
from calib.solve.matrix import add_blocks, carried_rows
from calib.solve.panels import Normal
from calib.solve.twist import parameters_from_twists


def influences(
    layout: Layout,
    normal: Normal,
    correction: Correction,
    spoken: Spoken,
    sigma: Floats,
) -> tuple[Influence | None, ...]:
    """How far the solution moves when each dataset is left out; None where it is the only one.

    ``normal`` are the equations of all that is ``spoken`` at ``correction``; ``sigma`` (n, f) are
    the standard uncertainties of the free parameters. Prior and gauge are those of all datasets.
    """
    if len(spoken.coupling) < 2:
        return (None,) * len(spoken.coupling)
    n, f = sigma.shape
    back = np.asarray(np.linalg.inv(parameters_from_twists(layout, correction.values)))
    by = back[:, :, normal.free]
    # In units in which the equations have a unit diagonal.
    scale = 1.0 / np.sqrt(np.diag(normal.matrix))
    by = by * scale.reshape(n, 1, f)
    everything, vector = normal.matrix * np.outer(scale, scale), normal.vector * scale
    whole = np.linalg.solve(everything, vector)
    own = by.transpose(0, 2, 1) @ spoken.own @ by
    vectors = spoken.at(layout, correction)[0].reshape(-1, n, 6, 1)
    said = (by.transpose(0, 2, 1) @ vectors).reshape(-1, n * f)
    found = []
    for block, coupling, pull in zip(own, spoken.coupling, said, strict=True):
        taken = carried_rows(coupling, by)
        matrix = taken.T @ taken
        matrix += everything
        add_blocks(matrix, -block)
        without = np.linalg.solve(matrix, vector - pull)
        shift = np.abs((without - whole) * scale) / sigma.ravel()
        found.append(
            Influence(
                rms_sigma=float(np.sqrt(np.mean(shift**2))),
                largest_sigma=float(shift.max()),
                panel=int(shift.argmax()) // f,
            )
        )
    return tuple(found)
