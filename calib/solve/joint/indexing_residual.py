"""Datasets that do not belong: found by what is left of them before any panel moves.

A dataset that was indexed wrongly scatters by pixels where its pose and crystals are refined alone,
since no rigid detector explains it; displaced panels scatter by tenths of one. It is judged against
the others, which may be stored summaries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.errors import SolveError
from calib.model.base.arrays import Floats
from calib.model.result.report import Misfit, Reason
from calib.solve.joint.dataset_state import RigidFit

TIMES_OTHERS = 5.0
LEAST_PX = 1.5
"""Panels that stand far from their places spread residuals, too."""
MOST_LOST = 0.5
"""Share of the reflections that may not diffract at all where refinement starts."""


def find_misindexed_datasets(
    rigid_fits: Sequence[RigidFit], stored_px: Sequence[float]
) -> dict[int, Misfit]:
    """The datasets that do not belong, by their places; ``stored_px`` is the scatter of others that
    are not here."""
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
                f"{one.n_lost} of {one.n} reflections cannot be where the experiment's models put "
                "them: crystal, beam or detector are far from the truth.",
                place=one.name,
                remedy="refine the experiment with dials.refine first.",
            )


def median_of_others(values: Floats) -> Floats:
    """(k,) the (lower) median of all values but each one itself; infinite for a single one."""
    return of_others(values, 0.5)


def of_others(values: Floats, share: float) -> Floats:
    """(k,) the value that a ``share`` of all values but each one itself do not exceed, the lower
    one of two; infinite for a single one."""
    n = len(values)
    if n < 2:
        return np.full(n, np.inf)
    order = np.argsort(values, kind="stable")
    ordered, rank = values[order], np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    place = int((n - 2) * share)
    return np.asarray(np.where(rank <= place, ordered[place + 1], ordered[place]))
