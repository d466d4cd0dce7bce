"""Whether parts of the data find the same panels: datasets, distances, occasions, halves of scans.

Residuals fall in any case, since panels absorb what no other parameter describes; two parts of the
data absorb different amounts of it. Let N_A x = v_A be the equations of part A with its own
nuisance parameters eliminated, linearised at the common solution of A and the others, and C the
covariance of that solution, prior included. If the panels of A were displaced by d against those of
the others, then v_A would have mean M d and covariance M,

    M = N_A - N_A C N_A,

in which all correlations are kept and the prior, common to both, is taken out: with x_A and x_B the
separate solutions and C_A and C_B their covariances, M^+ v_A = x_A - x_B and
M^+ = C_A + C_B - C_A P C_B - C_B P C_A. Displacements in the plane (dx, dy, rz) are tested with all
six parameters of the panels free. Panels that have not changed differ by the repeatability k R
(``calib.solve.panels.repeatability``), which adds k M R M to the covariance.

The size of a displacement is the root mean square over the panels, each weighted by its
information, of the length of its shift, less what is expected by chance. A panel's own size is the
length of its shift in the alignment that the information weights, less its expectation.

A pixel size or sensor thickness that is wrong in all data, and any other error that all parts have
in common, can be seen in none of these comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import Correction
from calib.model.result.comparison import Agreement, Compared, Comparison
from calib.solve.algebra.linalg import congruence, inverse, whitener
from calib.solve.algebra.statistics import chance_above, holm, level_of_chance
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.system import PanelSystem

CHANCE = 1e-6
"""Probability, over all comparisons, that parts which agree are taken to disagree."""
_NAMED = 0.01
"""Probability at which panels of parts that disagree are named."""
_LEAST_MM, _LEAST_PX = 0.005, 0.03
"""A disagreement counts if it exceeds the larger of these."""
_MUST_SEE = 3.0
"""A comparison that cannot see a displacement this many times larger has tested nothing."""
_SEEN_MM = 0.05
"""Directions known less accurately than this are not compared."""
_MOSTLY = 0.5
"""Fraction of a parameter within the known directions from which on it is compared."""
IN_PLANE = (0, 1, 5)
"""The compared parameters of a panel."""


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """A part of the data against others: M and v of displacements in the plane."""

    kind: Compared
    datasets: tuple[int, ...]
    matrix: Floats
    """(3 n, 3 n) M over dx, dy and rz times the half diagonal of the panel, in 1 / mm^2."""
    vector: Floats
    """(3 n,) v_A, in 1 / mm."""
    repeat: Floats | None
    """(3 n, 3 n) covariance of a detector that has not changed, in mm^2; None: zero."""

    def with_noise(self, inflation: float) -> Contrast:
        """The contrast with the variance of its noise larger by this factor."""
        return replace(self, matrix=self.matrix / inflation, vector=self.vector / inflation)


class CommonSolution:
    """The solution of two or more parts of the data, in the frame of which each is tested."""

    def __init__(
        self, system: PanelSystem, correction: Correction, parts: Sequence[PanelEquations]
    ) -> None:
        """``system`` has all six parameters free; ``parts`` are linearised at ``correction``."""
        normal = system.normal(correction, parts)
        self._covariance = inverse(normal.matrix)
        self._step = self._covariance @ normal.vector
        self._spread = normal.spread
        n = len(system.layout)
        rows = 6 * np.arange(n)[:, None] + np.array(IN_PLANE)
        self._rows = rows.ravel()
        arm = np.linalg.norm(0.5 * system.layout.size_mm, axis=1)
        self._unit = np.stack([np.ones(n), np.ones(n), 1.0 / arm], axis=1).ravel()

    def contrast(
        self,
        part: PanelEquations,
        kind: Compared,
        datasets: tuple[int, ...],
        repeat: Floats | None = None,
    ) -> Contrast:
        """One of the parts against the others; ``repeat`` (3 n, 3 n) is over dx, dy and rz."""
        n = len(self._spread)
        information = congruence(part.information, self._spread)
        vector = np.einsum("paf,pa->pf", self._spread, part.vector.reshape(n, -1)).ravel()
        rows, unit = self._rows, self._unit
        across = information[:, rows]
        matrix = across[rows] - across.T @ (self._covariance @ across)
        left = vector[rows] - across.T @ self._step
        scaled = None if repeat is None else repeat / np.outer(unit, unit)
        return Contrast(kind, datasets, matrix * np.outer(unit, unit), left * unit, scaled)


def compared(contrasts: Sequence[Contrast], pixel_mm: float) -> tuple[Comparison, ...]:
    """The verdict on each contrast, corrected for their number (Holm).

    ``pixel_mm`` is the size of a pixel.
    """
    tests = [_Test.of(one) for one in contrasts]
    if not tests:
        return ()
    limit_mm = max(_LEAST_MM, _LEAST_PX * pixel_mm)
    overall = holm(np.array([one.p_value for one in tests]))
    shape = (len(tests), -1)
    panels = holm(np.concatenate([one.panel_p for one in tests])).reshape(shape)
    found = []
    for contrast, test, p_value, panel_p in zip(contrasts, tests, overall, panels, strict=True):
        wrong = (panel_p < CHANCE) & (test.panel_mm > limit_mm)
        disagrees = bool(wrong.any()) or (p_value < CHANCE and test.size_mm > limit_mm)
        chance = CHANCE / panels.size if wrong.any() else _NAMED / len(panel_p)
        named = _named(contrast, chance, limit_mm) if disagrees else ()
        visible = test.visible_mm(CHANCE / len(tests))
        agreement = Agreement.AGREES
        if disagrees:
            agreement = Agreement.DISAGREES
        elif visible > _MUST_SEE * limit_mm:
            agreement = Agreement.NOT_TESTED
        worst = min(range(len(panel_p)), key=lambda k: (test.panel_p[k], -test.panel_mm[k]))
        found.append(
            Comparison(
                kind=contrast.kind,
                datasets=contrast.datasets,
                agreement=agreement,
                chi_square=test.chi_square,
                degrees_of_freedom=test.degrees,
                p_value=float(p_value),
                size_um=1e3 * test.size_mm,
                visible_um=None if not np.isfinite(visible) else 1e3 * visible,
                panels=named,
                worst_panel=worst,
                worst_um=1e3 * float(test.panel_mm[worst]),
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class PanelDisplacements:
    """The displacements of n panels in the r directions that are known well enough."""

    values: Floats
    """(r,) information in each direction, 1 / mm^2."""
    by_panel: Floats
    """(n, 3, r) the directions."""
    in_sigma: Floats
    """(r,) displacements in units of their noise."""
    repeat: Floats
    """(r, r) covariance of a detector that has not changed, mm^2."""
    tested: Bools
    """(n,) panels that are compared in both directions of their plane."""
    rows: tuple[tuple[int, ...], ...]
    """The compared parameters of each tested panel: both shifts and, if it is known, the
    rotation."""

    @staticmethod
    def of(contrast: Contrast) -> PanelDisplacements:
        n = len(contrast.vector) // len(IN_PLANE)
        values, vectors = np.linalg.eigh(contrast.matrix)
        good = values > _SEEN_MM**-2.0
        values, vectors = values[good], vectors[:, good]
        repeat = np.zeros((len(values), len(values)))
        if contrast.repeat is not None:
            repeat = vectors.T @ contrast.repeat @ vectors
        by_panel = vectors.reshape(n, len(IN_PLANE), -1)
        known = (by_panel**2).sum(axis=2) > _MOSTLY
        tested: Bools = np.asarray(known[:, :2].all(axis=1))
        return PanelDisplacements(
            values=values,
            by_panel=by_panel,
            in_sigma=(vectors.T @ contrast.vector) / np.sqrt(values),
            repeat=repeat,
            tested=tested,
            rows=tuple((0, 1, 2) if one else (0, 1) for one in known[tested, 2].tolist()),
        )

    def moved(self) -> Floats:
        """(n, 3) displacements in mm."""
        return np.asarray(self.by_panel @ (self.in_sigma / np.sqrt(self.values)))

    def covariance(self, multiple: float) -> Floats:
        """(n, 3, 3) their covariances, with ``multiple`` times the repeatability, in mm^2."""
        total = multiple * self.repeat + np.diag(1.0 / self.values)
        return np.asarray(self.by_panel @ total @ self.by_panel.transpose(0, 2, 1))

    def squares(self, multiple: float) -> Floats:
        """Chi-square of each tested panel against this covariance."""
        moved, blocks = self.moved()[self.tested], self.covariance(multiple)[self.tested]
        found = []
        for own, block, rows in zip(moved, blocks, self.rows, strict=True):
            shift = own[list(rows)]
            found.append(float(shift @ np.linalg.solve(block[np.ix_(rows, rows)], shift)))
        return np.array(found)

    def beyond_mm(self) -> Floats:
        """(n,) length of each panel's shift beyond expectation."""
        blocks = self.covariance(1.0)
        expected = blocks[:, 0, 0] + blocks[:, 1, 1]
        return np.asarray(
            np.sqrt(np.maximum((self.moved()[:, :2] ** 2).sum(axis=1) - expected, 0.0))
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """Statistics of one contrast against its total covariance."""

    chi_square: float
    """Against noise alone."""
    degrees: int
    p_value: float
    """Against noise and repeatability."""
    size_mm: float
    """Root mean square displacement beyond expectation."""
    information: float
    """Of a displacement common to all panels in one direction, 1 / mm^2."""
    panel_p: Floats
    """(n,)"""
    panel_mm: Floats
    """(n,) displacement beyond expectation."""

    @staticmethod
    def of(contrast: Contrast) -> _Test:
        own = PanelDisplacements.of(contrast)
        degrees, root = len(own.values), np.sqrt(own.values)
        spread = np.eye(degrees) + own.repeat * np.outer(root, root)
        shrink = whitener(spread) if degrees else spread
        noise = float(own.in_sigma @ own.in_sigma)
        shifts = own.by_panel[:, :2]
        known = float((shifts**2 * own.values).sum())
        excess = max(noise - float(np.trace(spread)), 0.0)
        size = np.sqrt(2.0 * excess / known) if known else 0.0
        seen = (shifts * root) @ shrink.T
        panel_p, panel_mm = np.ones(len(own.tested)), np.zeros(len(own.tested))
        tested, squares = np.flatnonzero(own.tested), own.squares(1.0)
        for panel, rows, square in zip(tested.tolist(), own.rows, squares.tolist(), strict=True):
            panel_p[panel] = chance_above(square, len(rows))
        panel_mm[tested] = own.beyond_mm()[tested]
        return _Test(
            chi_square=noise,
            degrees=degrees,
            p_value=chance_above(float(((shrink @ own.in_sigma) ** 2).sum()), degrees),
            size_mm=float(size),
            information=0.5 * float((seen**2).sum()),
            panel_p=panel_p,
            panel_mm=panel_mm,
        )

    def visible_mm(self, chance: float) -> float:
        """The displacement that is expected to reach this probability; infinite if none is."""
        if not self.degrees or self.information <= 0.0:
            return np.inf
        more = level_of_chance(chance, self.degrees) - self.degrees
        return float(np.sqrt(more / self.information))


def _named(contrast: Contrast, chance: float, limit_mm: float) -> tuple[int, ...]:
    """Panels that are displaced significantly, ascending; if these are more than a third, those
    that are in the alignment of all."""
    found, _ = without_moved(contrast, chance, limit_mm)
    if len(found) <= _most_moved(contrast):
        return found
    return tuple(_moved(_Test.of(contrast), chance, limit_mm))


def without_moved(
    contrast: Contrast, chance: float = CHANCE, limit_mm: float = _LEAST_MM
) -> tuple[tuple[int, ...], Contrast]:
    """Panels that are displaced significantly, ascending, and the contrast of the others.

    They are found one by one, and each is free from then on, so that it does not displace the
    others in the common alignment. The search ends when they are more than a third.
    """
    found: list[int] = []
    left = contrast
    while len(found) <= _most_moved(contrast):
        test = _Test.of(left)
        wrong = _moved(test, chance, limit_mm)
        if not wrong:
            break
        surest = np.lexsort((-test.panel_mm[wrong], test.panel_p[wrong]))[0]
        found.append(wrong[int(surest)])
        left = _without(left, found[-1])
    return tuple(sorted(found)), left


def _moved(test: _Test, chance: float, limit_mm: float) -> list[int]:
    found = (test.panel_p < chance) & (test.panel_mm > limit_mm)
    return [int(panel) for panel in np.flatnonzero(found)]


def _most_moved(contrast: Contrast) -> int:
    return max(1, len(contrast.vector) // len(IN_PLANE) // 3)


def _without(contrast: Contrast, panel: int) -> Contrast:
    """The contrast of the other panels with one panel displaced freely."""
    own = slice(len(IN_PLANE) * panel, len(IN_PLANE) * (panel + 1))
    across = contrast.matrix[own]
    solved = np.linalg.pinv(across[:, own], hermitian=True) @ np.column_stack(
        [across, contrast.vector[own]]
    )
    matrix = contrast.matrix - across.T @ solved[:, :-1]
    vector = contrast.vector - across.T @ solved[:, -1]
    matrix[own], matrix[:, own], vector[own] = 0.0, 0.0, 0.0
    return replace(contrast, matrix=0.5 * (matrix + matrix.T), vector=vector)
