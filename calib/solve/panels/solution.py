"""What a solver hands to a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.detector.correction import CorrectionEstimate, PanelStatus
from calib.model.result.report import Acceptance, Misfit, Report
from calib.model.result.summary import Statement
from calib.solve.panels.system import PanelSystem

MEASURED_FROM = 50
"""A panel with fewer reflections is sparse."""
_MEASURED_SHARE = 0.7
"""A panel whose sigma is a larger share of the prior leans on it: at the root of a half, what the
data and what the prior say of a parameter weigh the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What a solver hands to a flow."""

    estimate: CorrectionEstimate
    report: Report
    acceptance: Acceptance
    statements: tuple[Statement, ...]
    """What each dataset leaves behind, in the order of the report."""
    kept: tuple[int, ...] = ()
    """The places of the datasets that took part, among those that were given."""

    def with_excluded(self, others: Sequence[Misfit]) -> Solution:
        """The same with what others were left out before."""
        if not others:
            return self
        misfits = (*others, *self.report.misfits)
        return replace(self, report=replace(self.report, misfits=misfits))


def panel_states(used: Ints, covariance: Floats, system: PanelSystem) -> tuple[PanelStatus, ...]:
    """What each panel's correction rests on: ``used`` (n,) reflections, and ``covariance`` of the
    free parameters."""
    free = list(system.freedom.free)
    sigma = np.sqrt(np.diag(covariance)).reshape(-1, len(free))
    known: Bools = np.all(sigma < _MEASURED_SHARE * system.tolerance.reshape(sigma.shape), axis=1)
    return tuple(
        PanelStatus.UNMEASURED
        if count == 0
        else PanelStatus.MEASURED
        if count >= MEASURED_FROM and sure
        else PanelStatus.SPARSE
        for count, sure in zip(used.tolist(), known.tolist(), strict=True)
    )
