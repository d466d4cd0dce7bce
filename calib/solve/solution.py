"""From datasets to a correction with its uncertainty and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.errors import SolveError
from calib.model.arrays import Bools, Floats, Ints
from calib.model.correction import CorrectionEstimate, PanelStatus
from calib.model.dataset import Dataset
from calib.model.frames import RigidMotion
from calib.model.layout import Layout
from calib.model.report import Acceptance, Report
from calib.solve.accept import judged
from calib.solve.assess import assessed
from calib.solve.fleet import Fleet, LocalFleet
from calib.solve.options import SolveOptions
from calib.solve.panels import PanelSystem
from calib.solve.refine import Progress, refined_jointly
from calib.solve.reject import covariance_inflation
from calib.solve.standing import started
from calib.solve.weak import weak_modes

MEASURED_FROM = 50
"""A panel with fewer reflections is sparse."""
_MEASURED_SHARE = 0.5
"""A panel whose sigma is a larger share of the prior leans on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """What a solver hands to a flow."""

    estimate: CorrectionEstimate
    report: Report
    acceptance: Acceptance


def solved(
    datasets: Sequence[tuple[Dataset, RigidMotion]],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """The panel corrections that all datasets share, solved in this process.

    ``datasets`` come with their starting poses (lab_from_root). Raises what ``solved_by`` raises.
    """
    fleet = LocalFleet([data for data, _ in datasets])
    return solved_by(fleet, [pose for _, pose in datasets], layout, options, progress)


def solved_by(
    fleet: Fleet,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """The panel corrections that all datasets of a fleet share.

    Its states are ``Dataset`` values; ``poses`` are where they start (lab_from_root). Raises
    ``SolveError`` where nothing can be used or no panel has 50 reflections.
    """
    found = fleet.map(started, layout, options, each=[(pose,) for pose in poses])
    counts = np.sum(found, axis=0)
    if counts.max(initial=0) < MEASURED_FROM:
        raise SolveError(
            "all-panels-sparse",
            f"all {len(layout)} panels are sparse: the fullest has {counts.max(initial=0)} "
            f"usable reflections, and at least one needs {MEASURED_FROM}.",
            remedy="add datasets, or index to higher resolution.",
        )
    system = PanelSystem(layout, options.freedom, options.prior)
    refined = refined_jointly(fleet, system, progress, options)
    report = assessed(refined, system, progress)
    convergence = report.convergence
    achieved = convergence.chi_square / max(convergence.degrees_of_freedom, 1)
    covariance = refined.last.covariance * achieved * covariance_inflation()
    used = np.array([0 if fit.used is None else fit.used.after.n for fit in report.panels])
    estimate = CorrectionEstimate(
        correction=refined.correction,
        freedom=options.freedom,
        covariance=covariance,
        status=_status(used, covariance, system),
        n_reflections=used,
    )
    measured = np.array([status is PanelStatus.MEASURED for status in estimate.status])
    modes = weak_modes(layout, estimate, measured)
    report = replace(report, weak_modes=modes)
    return Solution(estimate, report, judged(report, estimate))


def _status(used: Ints, covariance: Floats, system: PanelSystem) -> tuple[PanelStatus, ...]:
    free = list(system.freedom.free)
    sigma = np.sqrt(np.diag(covariance)).reshape(-1, len(free))
    known: Bools = np.all(sigma < _MEASURED_SHARE * system.prior.sigma()[free], axis=1)
    return tuple(
        PanelStatus.UNMEASURED
        if count == 0
        else PanelStatus.MEASURED
        if count >= MEASURED_FROM and sure
        else PanelStatus.SPARSE
        for count, sure in zip(used.tolist(), known.tolist(), strict=True)
    )
