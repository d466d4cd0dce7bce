"""From datasets to a correction with its uncertainty and its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calib.errors import SolveError
from calib.model.correction import CorrectionEstimate
from calib.model.dataset import Dataset
from calib.model.frames import RigidMotion
from calib.model.layout import Layout
from calib.model.summary import Part, Statement
from calib.solve.accept import judged
from calib.solve.assess import assessed, measured
from calib.solve.determined import determined
from calib.solve.fleet import Fleet, LocalFleet
from calib.solve.groups import group_motions
from calib.solve.influence import influences
from calib.solve.known import Known, Spoken
from calib.solve.options import SolveOptions
from calib.solve.outcome import MEASURED_FROM, Solution, panel_states
from calib.solve.panels import PanelSystem
from calib.solve.refine import Progress, Refined, refined_jointly
from calib.solve.reject import covariance_inflation
from calib.solve.standing import started
from calib.solve.weak import weak_modes


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
    """The panel corrections that all datasets of a fleet share; arguments and errors as of
    ``refined_by``."""
    system, refined = refined_by(fleet, poses, layout, options, progress)
    found = measured(refined, system, progress)
    report, statements = assessed(refined, system, found), found.statements
    convergence = report.convergence
    achieved = convergence.chi_square / max(convergence.degrees_of_freedom, 1)
    covariance = refined.last.covariance * achieved * covariance_inflation()
    used = np.array([0 if fit.used is None else fit.used.after.n for fit in report.panels])
    estimate = CorrectionEstimate(
        correction=refined.correction,
        freedom=options.freedom,
        covariance=covariance,
        status=panel_states(used, covariance, system),
        n_reflections=used,
    )
    spoken = Spoken.of(layout, statements, Part.WHOLE)
    normal = system.normal(refined.correction, [Known(layout, spoken).at(refined.correction)])
    sigma = estimate.sigma[:, options.freedom.free]
    moved = influences(layout, normal, refined.correction, spoken, sigma)
    report = replace(
        report,
        weak_modes=weak_modes(layout, estimate, estimate.measured),
        determined=determined(system, normal, refined.last.covariance, estimate.measured),
        groups=group_motions(layout, estimate),
        datasets=tuple(
            replace(use, influence=influence)
            for use, influence in zip(report.datasets, moved, strict=True)
        ),
    )
    return Solution(estimate, report, judged(report, estimate), statements, refined.kept)


def refined_by(
    fleet: Fleet,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
    known: Sequence[Statement] = (),
) -> tuple[PanelSystem, Refined]:
    """The datasets of a fleet refined jointly, and the equations of their panels.

    Its states are ``Dataset`` values; ``poses`` are where they start (lab_from_root); ``known`` is
    what others have said before, which takes part. Raises ``SolveError`` where nothing can be used
    or, with nothing known, no panel has 50 reflections.
    """
    found = fleet.map(started, layout, options, each=[(pose,) for pose in poses])
    counts = np.sum(found, axis=0)
    fullest = max(
        [*counts.tolist(), *(int(counts[list(group.panels)].sum()) for group in layout.groups)]
    )
    if not known and fullest < MEASURED_FROM:
        raise SolveError(
            "all-panels-sparse",
            f"all {len(layout)} panels are sparse: the fullest has {fullest} "
            f"usable reflections, and at least one needs {MEASURED_FROM}.",
            remedy="add datasets, or index to higher resolution.",
        )
    system = PanelSystem(layout, options.freedom, options.prior, known)
    return system, refined_jointly(fleet, system, progress, options)
