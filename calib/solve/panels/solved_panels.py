"""What follows from the solution of the panels' equations, whether derived from files or combined
from summaries: covariance, status of the panels, comparisons, acceptance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from calib.model.base.arrays import Ints
from calib.model.detector.correction import Correction, CorrectionEstimate
from calib.model.result.report import Influence, Report, Structure
from calib.model.result.summary import Statement
from calib.solve.dataset.outliers import covariance_inflation
from calib.solve.panels.acceptance import check_acceptance
from calib.solve.panels.dataset_comparisons import compared_datasets
from calib.solve.panels.group_motion import group_motions
from calib.solve.panels.influence import influences
from calib.solve.panels.solution import Solution, panel_states
from calib.solve.panels.stored_equations import StoredEquations
from calib.solve.panels.structure import panel_structure, stretch_ppm
from calib.solve.panels.system import Normal, PanelStep, PanelSystem
from calib.solve.panels.weak_modes import determined, weak_modes


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
    ) -> Solution:
        """The solution, its report completed by what depends on the covariance.

        ``last`` is the last step, ``occasions`` the number of the occasion of each dataset, None if
        times are unknown, and ``kept`` as in ``Solution``.
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
        )
        acceptance = check_acceptance(report, estimate)
        return Solution(estimate, report, acceptance, self.statements, kept)
