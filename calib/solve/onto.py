"""New datasets with what others have said before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calib.model.frames import RigidMotion
from calib.model.layout import Layout
from calib.model.summary import Statement
from calib.solve.accept import judged
from calib.solve.assess import convergence_of, measured
from calib.solve.combine import combined
from calib.solve.fleet import Fleet
from calib.solve.options import SolveOptions
from calib.solve.outcome import Solution
from calib.solve.refine import Progress
from calib.solve.solution import refined_by


def solved_onto(
    known: Sequence[Statement],
    fleet: Fleet,
    poses: Sequence[RigidMotion],
    layout: Layout,
    options: SolveOptions,
    progress: Progress,
) -> Solution:
    """New datasets refined with what others have said before, and all of them combined.

    Arguments and errors as of ``solution.refined_by``; the report is that of all.
    """
    system, refined = refined_by(fleet, poses, layout, options, progress, known)
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
