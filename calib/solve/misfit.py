"""Datasets that do not belong: found by what is left of them before any panel moves.

A dataset that was indexed wrongly scatters by pixels where its pose and crystals are refined alone,
since no rigid detector explains it; displaced panels scatter by tenths of one. It is judged against
the others, which may be stored summaries.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.errors import SolveError
from calib.model.report import Misfit, Reason, Spread
from calib.solve.standing import Placed

_TIMES_OTHERS = 5.0
_LEAST_PX = 1.5
"""Panels that stand far from their places spread residuals, too."""
_MOST_LOST = 0.5
"""Share of a dataset's reflections that may not diffract at all where it starts."""


def misfits(placed: Sequence[Placed], known_px: Sequence[float]) -> dict[int, Misfit]:
    """The datasets that do not belong, by their places; ``known_px`` is the scatter of others that
    are not here."""
    found = {}
    for place, one in enumerate(placed):
        others = sorted(
            [*known_px, *(other.scatter_px for k, other in enumerate(placed) if k != place)]
        )
        usual = others[(len(others) - 1) // 2] if others else np.inf
        lost = one.n_lost > _MOST_LOST * one.n and np.isfinite(usual)
        if lost or one.scatter_px > max(_TIMES_OTHERS * usual, _LEAST_PX):
            shown = one.scatter_px if np.isfinite(one.scatter_px) else None
            reason = Reason.LOST if lost else Reason.SCATTER
            found[place] = Misfit(
                one.name, one.sha256, shown, usual, one.n_lost, one.n, reason=reason
            )
    return found


def refuse_lost(placed: Sequence[Placed]) -> None:
    """Raise ``SolveError`` for a dataset half of whose reflections cannot be predicted."""
    for one in placed:
        if one.n_lost > _MOST_LOST * one.n:
            raise SolveError(
                "not-predictable",
                f"{one.n_lost} of {one.n} reflections cannot be where the experiment's models put "
                "them: crystal, beam or detector are far from the truth.",
                place=one.name,
                remedy="refine the experiment with dials.refine first.",
            )


def scatter_of(spread: Spread) -> float:
    """What a stored dataset scattered by, in px."""
    return float(np.hypot(spread.median_abs_x_px, spread.median_abs_y_px))
