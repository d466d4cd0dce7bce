"""The solution of a derivation, and the status of its panels."""

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
"""Reflections that a measured panel needs; a panel with fewer is sparse."""
_MEASURED_SHARE = 0.7
"""A panel is sparse if the sigma of a shift in the plane is a larger fraction of the tolerance. At
the square root of one half, data and tolerance would contribute equally."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Panel corrections with their covariance, report, acceptance and normal equations."""

    estimate: CorrectionEstimate
    report: Report
    acceptance: Acceptance
    statements: tuple[Statement, ...]
    """The summary of each dataset, in the order of the report."""
    kept: tuple[int, ...] = ()
    """Indices of the datasets that were used, among those that were given."""

    def with_excluded(self, others: Sequence[Misfit]) -> Solution:
        """The solution with datasets in its report that were excluded before refinement."""
        if not others:
            return self
        misfits = (*others, *self.report.misfits)
        return replace(self, report=replace(self.report, misfits=misfits))


def panel_states(used: Ints, covariance: Floats, system: PanelSystem) -> tuple[PanelStatus, ...]:
    """Status of each panel, from its number of used reflections ``used`` (n,) and the covariance
    (n f, n f) of the free parameters.

    Heights and tilts do not count: at one distance they follow the others' for the most part.
    """
    sigma = np.sqrt(np.diag(covariance)).reshape(len(used), -1)[:, :2]
    tolerance = system.tolerance.reshape(len(used), -1)[:, :2]
    known: Bools = np.all(sigma < _MEASURED_SHARE * tolerance, axis=1)
    return tuple(
        PanelStatus.UNMEASURED
        if count == 0
        else PanelStatus.MEASURED
        if count >= MEASURED_FROM and sure
        else PanelStatus.SPARSE
        for count, sure in zip(used.tolist(), known.tolist(), strict=True)
    )
