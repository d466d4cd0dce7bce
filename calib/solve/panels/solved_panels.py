"""What follows from the solution of the panels' equations, whether derived from files or combined
from summaries: covariance, status of the panels, comparisons, acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Ints
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.result.comparison import Repeatability
from calib.model.result.report import Influence, Report, Structure
from calib.model.result.summary import Statement
from calib.model.result.what_if import WhatIf
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.panels.acceptance import check_acceptance
from calib.solve.panels.dataset_comparisons import compared_datasets
from calib.solve.panels.group_motion import group_motions
from calib.solve.panels.influence import influences
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM, repeatability
from calib.solve.panels.solution import Solution, panel_states
from calib.solve.panels.stored_equations import StoredEquations
from calib.solve.panels.structure import panel_structure, stretch_ppm
from calib.solve.panels.system import Normal, PanelStep, PanelSystem
from calib.solve.panels.weak_modes import determined, weak_modes
from calib.solve.panels.what_if.alternatives import Alternatives
from calib.solve.panels.what_if.subsets import subsets_of
from calib.solve.panels.what_if.table import WhatIfTable


@dataclass(frozen=True, slots=True, eq=False)
class SolvedPanels:
    """Panel corrections with their covariance, and the equations that they solve."""

    system: PanelSystem
    equations: StoredEquations
    """Those of all datasets, in the order of ``statements``."""
    statements: tuple[Statement, ...]
    estimate: CorrectionEstimate
    normal: Normal
    """The equations with prior and gauge, at the solution."""
    structure: Structure | None
    noise: float
    """Variance of noise relative to that of the equations."""

    @staticmethod
    def of(
        system: PanelSystem,
        correction: Correction,
        equations: StoredEquations,
        statements: Sequence[Statement],
        used: Ints,
        achieved: float,
    ) -> SolvedPanels:
        """The panels at ``correction``, the solution of ``equations``.

        ``used`` (n,) is the number of used reflections of each panel, ``achieved`` the chi-square
        per degree of freedom.
        """
        here, free = [equations.at(correction)], system.freedom.free
        noise = achieved * covariance_inflation()
        covariance = system.covariance(correction, here)
        structure = panel_structure(system.layout, statements, free, covariance, achieved)
        covariance = covariance * achieved * covariance_inflation() + structure.covariance
        estimate = CorrectionEstimate(
            correction=correction,
            freedom=system.freedom,
            covariance=covariance,
            status=panel_states(used, covariance, system),
            n_reflections=used,
        )
        found = structure.found
        if found is not None:
            stretch = stretch_ppm(system.layout, correction, estimate.measured)
            found = replace(found, stretch_ppm=stretch)
        normal = system.normal(correction, here)
        return SolvedPanels(system, equations, tuple(statements), estimate, normal, found, noise)

    def influences(self) -> tuple[Influence | None, ...]:
        """The influence of each dataset."""
        estimate = self.estimate
        sigma = estimate.sigma[:, estimate.freedom.free]
        stored = self.equations.twist_equations
        return influences(self.system.layout, self.normal, estimate.correction, stored, sigma)

    def solution(
        self,
        report: Report,
        last: PanelStep,
        occasions: Sequence[int] | None,
        kept: tuple[int, ...] = (),
        alternatives: Alternatives | None = None,
    ) -> Solution:
        """The solution, its report completed by what depends on the covariance.

        ``last`` is the last step, ``occasions`` the number of the occasion of each dataset, None if
        times are unknown, and ``kept`` as in ``Solution``. Without ``alternatives`` the uncertainty
        of the model is not estimated.
        """
        layout, prior, estimate = self.system.layout, self.system.prior, self.estimate
        parts = compared_datasets(
            layout,
            prior,
            estimate.correction,
            self.equations.twist_equations,
            report.datasets,
            occasions,
            self.noise,
        )
        report = replace(
            report,
            weak_modes=weak_modes(layout, estimate, estimate.measured),
            determined=determined(self.system, self.normal, last.covariance, estimate.measured),
            groups=group_motions(layout, estimate),
            comparisons=parts.comparisons,
            repeatability=parts.repeatability,
            prior=prior.learned,
            structure=self.structure,
            what_if=self._what_if(report, parts.repeatability, occasions, alternatives),
        )
        acceptance = check_acceptance(report, estimate)
        return Solution(estimate, report, acceptance, self.statements, kept)

    def _what_if(
        self,
        report: Report,
        found: Repeatability | None,
        occasions: Sequence[int] | None,
        alternatives: Alternatives | None,
    ) -> WhatIf:
        """How far the panels move where a choice is made otherwise."""
        system, estimate, stored = self.system, self.estimate, self.equations
        here = estimate.correction
        whole = stored.at(here)
        subsets = subsets_of(
            system.layout, here, stored.twist_equations, report.datasets, whole, alternatives
        )
        repeat_mm = DEFAULT_REPEAT_MM if found is None else 1e-3 * found.panel_um
        once = repeatability(system.layout, repeat_mm, (0, 1))
        n_occasions = 1 if occasions is None else len(set(occasions))
        repeat_um = 1e3 * float(np.sqrt(np.diag(once).mean() / n_occasions))
        table = WhatIfTable(system, estimate, whole, self.noise)
        return table.table(alternatives, subsets, repeat_um)
