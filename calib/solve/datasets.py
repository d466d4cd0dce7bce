"""From datasets to a correction with its uncertainty and its report.

New datasets with what others have said before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calib.errors import SolveError
from calib.model.detector.correction import CorrectionEstimate
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.result.summary import Part, Statement
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.joint.dataset_state import started
from calib.solve.joint.refinement import Progress, Refined, refined_jointly
from calib.solve.joint.validation import assessed, convergence_of, measured
from calib.solve.options import SolveOptions
from calib.solve.panels.acceptance import judged
from calib.solve.panels.group_motion import group_motions
from calib.solve.panels.influence import influences
from calib.solve.panels.solution import MEASURED_FROM, Solution, panel_states
from calib.solve.panels.stored_equations import Known, Spoken
from calib.solve.panels.system import PanelSystem
from calib.solve.panels.weak_modes import determined, weak_modes
from calib.solve.parallel.executor import Executor, LocalExecutor
from calib.solve.summaries import combined


def solved(
    datasets: Sequence[tuple[Dataset, RigidMotion]],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """The panel corrections that all datasets share, solved in this process.

    ``datasets`` come with their starting poses (lab_from_root). Raises what ``solved_by`` raises.
    """
    executor = LocalExecutor([data for data, _ in datasets])
    return solved_by(executor, [pose for _, pose in datasets], layout, options, progress)


def solved_by(
    executor: Executor,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """The panel corrections that all datasets of a fleet share; arguments and errors as of
    ``refined_by``."""
    system, refined = refined_by(executor, poses, layout, options, progress)
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
    executor: Executor,
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
    found = executor.map(started, layout, options, each=[(pose,) for pose in poses])
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
    return system, refined_jointly(executor, system, progress, options)


def solved_onto(
    known: Sequence[Statement],
    executor: Executor,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """New datasets refined with what others have said before, and all of them combined.

    Arguments and errors as of ``solution.refined_by``; the report is that of all.
    """
    system, refined = refined_by(executor, poses, layout, options, progress, known)
    new = measured(refined, system, progress)
    both = combined(
        [*known, *new.statements],
        layout,
        options.freedom,
        options.prior,
        refined=convergence_of(refined, new.accounts),
    )
    uses = list(both.report.datasets)
    for place, use in enumerate(new.uses, start=len(known)):
        uses[place] = replace(uses[place], left_out=use.left_out, linearisation_error_sigma=None)
    report = replace(both.report, datasets=tuple(uses), misfits=refined.misfits)
    return replace(both, report=report, acceptance=judged(report, both.estimate), kept=refined.kept)
