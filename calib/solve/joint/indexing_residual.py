"""Misindexed datasets, found by their residuals before panels are refined.

If pose and crystals of a misindexed dataset are refined with nominal panels, residuals of several
pixels remain; displaced panels cause residuals of tenths of a pixel. A dataset is compared with the
others, which include stored summaries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.errors import SolveError
from calib.model.base.arrays import Floats
from calib.model.result.report import Misfit, Reason
from calib.solve.joint.dataset_state import RigidFit

TIMES_OTHERS = 5.0
"""Factor by which the residuals of a misindexed dataset exceed those of the others."""
LEAST_PX = 1.5
"""Smaller residuals may come from displaced panels."""
MOST_LOST = 0.5
"""Fraction of the reflections that may be unpredictable at the start of the refinement."""


def find_misindexed_datasets(
    rigid_fits: Sequence[RigidFit], stored_px: Sequence[float]
) -> dict[int, Misfit]:
    """Misindexed datasets by index; ``stored_px`` are the residuals of stored datasets in px."""
    found = {}
    of_others = median_of_others(np.array([*(one.scatter_px for one in rigid_fits), *stored_px]))
    for place, (one, usual) in enumerate(zip(rigid_fits, of_others.tolist(), strict=False)):
        lost = one.n_lost > MOST_LOST * one.n and np.isfinite(usual)
        if lost or one.scatter_px > max(TIMES_OTHERS * usual, LEAST_PX):
            shown = one.scatter_px if np.isfinite(one.scatter_px) else None
            reason = Reason.LOST if lost else Reason.SCATTER
            found[place] = Misfit(
                one.name, one.sha256, shown, usual, one.n_lost, one.n, reason=reason
            )
    return found


def check_predictable(rigid_fits: Sequence[RigidFit]) -> None:
    """Raise ``SolveError`` for a dataset half of whose reflections cannot be predicted."""
    for one in rigid_fits:
        if one.n_lost > MOST_LOST * one.n:
            raise SolveError(
                "not-predictable",
                f"{one.n_lost} of {one.n} reflections cannot be predicted: the models of crystal, "
                "beam or detector are far from the truth.",
                place=one.name,
                remedy="refine the experiment with dials.refine first.",
            )


def median_of_others(values: Floats) -> Floats:
    """Lower median (k,) of all values except the one itself; infinite for a single value."""
    return of_others(values, 0.5)


def of_others(values: Floats, share: float) -> Floats:
    """Lower quantile (k,) at ``share`` of all values except the one itself; infinite if alone."""
    n = len(values)
    if n < 2:
        return np.full(n, np.inf)
    order = np.argsort(values, kind="stable")
    ordered, rank = values[order], np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    place = int((n - 2) * share)
    return np.asarray(np.where(rank <= place, ordered[place + 1], ordered[place]))
