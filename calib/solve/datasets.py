"""Panel corrections from datasets, alone or together with stored summaries of other datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from calib.errors import SolveError
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.result.summary import Part, Statement
from calib.solve.joint.alternatives import summed_alternatives
from calib.solve.joint.dataset_state import initialise
from calib.solve.joint.refinement import Progress, Refinement, refine_jointly
from calib.solve.joint.validation import convergence_of, validate, validation_report, with_stored
from calib.solve.options import SolveOptions, WhatIfRows
from calib.solve.panels.acceptance import check_acceptance
from calib.solve.panels.solution import MEASURED_FROM, Solution
from calib.solve.panels.solved_panels import SolvedPanels
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.panels.system import PanelSystem
from calib.solve.parallel.executor import Executor, LocalExecutor
from calib.solve.summaries import solve_summaries


def solve_in_process(
    datasets: Sequence[tuple[Dataset, RigidMotion]],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """Panel corrections shared by all datasets, solved in this process.

    Parameters
    ----------
    datasets
        Datasets with their starting poses (lab_from_root).
    layout
        Nominal geometry of the panels.
    options
        Options of the solver.
    progress
        Called with the stage, the iteration, the RMSD in px and the number of datasets done.

    Returns
    -------
    Solution
        As ``solve_datasets``.

    Raises
    ------
    SolveError
        As ``solve_datasets``.
    """
    executor = LocalExecutor([data for data, _ in datasets])
    return solve_datasets(executor, [pose for _, pose in datasets], layout, options, progress)


def solve_datasets(
    executor: Executor,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
    occasions: Sequence[int] | None = None,
) -> Solution:
    """Panel corrections shared by all datasets of an executor.

    Panels, poses and crystals are refined jointly by Gauss-Newton steps on the weighted sum of
    squared residuals in x, y and phi (or delta-psi), plus the prior of the panels. The covariance
    of the panel parameters is scaled by the achieved chi-square per degree of freedom and corrected
    for the rejection of outliers.

    Parameters
    ----------
    executor
        The datasets; its items are ``Dataset`` values.
    poses
        Starting pose (lab_from_root) of each dataset.
    layout
        Nominal geometry of the n panels.
    options
        Options of the solver.
    progress
        Called with the stage, the iteration, the RMSD in px and the number of datasets done.
    occasions
        Number of the occasion on which each dataset was taken; None if times are unknown.

    Returns
    -------
    Solution
        Corrections in mm and rad with their covariance (n f, n f) over f free parameters per
        panel, the report, the acceptance with its reasons, and the normal equations of each
        dataset.

    Raises
    ------
    SolveError
        If no dataset can be used, no panel has 50 usable reflections, or the data and the prior do
        not determine the corrections.
    """
    system, refined = refine_datasets(executor, poses, layout, options, progress)
    found = validate(refined, system, progress)
    report = validation_report(refined, system, found)
    solved = SolvedPanels.of(
        system,
        refined.correction,
        StoredEquations(layout, TwistEquations.of(layout, found.statements, Part.WHOLE)),
        found.statements,
        np.array([0 if fit.used is None else fit.used.after.n for fit in report.panels]),
        report.convergence.chi_square_per_degree,
    )
    uses = tuple(
        replace(use, influence=influence)
        for use, influence in zip(report.datasets, solved.influences(), strict=True)
    )
    times = None if occasions is None else [occasions[place] for place in refined.kept]
    others = summed_alternatives(
        refined.executor, refined.correction, further_passes=options.what_if is WhatIfRows.FULL
    )
    report = replace(report, datasets=uses)
    return solved.solution(report, refined.last, times, refined.kept, others)


def refine_datasets(
    executor: Executor,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
    stored: Sequence[Statement] = (),
) -> tuple[PanelSystem, Refinement]:
    """Joint refinement of the datasets of an executor, with the stored equations of other datasets.

    Arguments and errors are those of ``solve_datasets``; with ``stored`` summaries panels may have
    fewer than 50 reflections in the new datasets.
    """
    # Halves alternate over datasets, too: each may have a single still.
    each = [(pose, place % 2 == 1) for place, pose in enumerate(poses)]
    found = executor.map(initialise, layout, options, each=each)
    counts = np.sum(found, axis=0)
    fullest = max(
        [*counts.tolist(), *(int(counts[list(group.panels)].sum()) for group in layout.groups)]
    )
    if not stored and fullest < MEASURED_FROM:
        raise SolveError(
            "all-panels-sparse",
            f"all {len(layout)} panels are sparse: the fullest has {fullest} "
            f"usable reflections, and at least one needs {MEASURED_FROM}.",
            remedy="add datasets, or index to higher resolution.",
        )
    system = PanelSystem(layout, options.freedom, options.prior, stored)
    refined = refine_jointly(executor, system, progress, options)
    system = refined.system
    if stored:
        system = with_stored(refined, system)
    return system, refined


def solve_incremental(
    stored: Sequence[Statement],
    executor: Executor,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
    occasions: Sequence[int] | None = None,
) -> Solution:
    """Panel corrections from new datasets and stored summaries of other datasets.

    The new datasets are refined together with the stored normal equations; then the equations of
    all are combined. Reflections of the stored datasets are not read.

    Parameters
    ----------
    stored
        Statements of the stored summaries: normal equations with crystals and poses eliminated.
    executor, poses, layout, options, progress
        The new datasets, as for ``solve_datasets``.
    occasions
        Number of the occasion on which each dataset was taken, stored ones first; None if times are
        unknown.

    Returns
    -------
    Solution
        As ``solve_datasets``; the report covers stored and new datasets, in this order.

    Raises
    ------
    SolveError
        If no new dataset can be used, or the solution is too far from the linearisation points of
        the stored summaries.
    """
    system, refined = refine_datasets(executor, poses, layout, options, progress, stored)
    new = validate(refined, system, progress)
    both = solve_summaries(
        [*stored, *new.statements],
        layout,
        options.freedom,
        options.prior,
        refined=convergence_of(refined, new.diagnostics),
        occasions=None
        if occasions is None
        else [*occasions[: len(stored)], *(occasions[len(stored) + k] for k in refined.kept)],
    )
    uses = list(both.report.datasets)
    for place, use in enumerate(new.uses, start=len(stored)):
        uses[place] = replace(uses[place], left_out=use.left_out, linearisation_error_sigma=None)
    report = replace(both.report, datasets=tuple(uses), misfits=refined.misfits)
    return replace(
        both, report=report, acceptance=check_acceptance(report, both.estimate), kept=refined.kept
    )
