"""Significance of the change of a detector between two calibrations.

For each panel, chi-square is computed with its own block of the covariance of the difference
(``calib.solve.drift.difference``). Moved panels are identified by the step-down procedure of Holm
(1979). A panel identified as moved is excluded from the alignment, so that its motion does not make
the others appear moved.
"""

from __future__ import annotations

import numpy as np

from calib.errors import LayoutError
from calib.model.base.arrays import Bools, Floats
from calib.model.detector.correction import N_PARAMETERS, ROTATIONS, TRANSLATIONS
from calib.model.detector.layout import Layout
from calib.model.result.drift import Drift, Verdict
from calib.solve.algebra.statistics import chance_above, holm
from calib.solve.drift.difference import CalibrationDifference, ComparedCalibration

SIGNIFICANCE = 0.01
"""Significance level: probability of reporting a change of an unchanged detector. One half is used
for the test of all panels together, the other half for single panels."""
_REPLACED_SHARE = 0.1
"""Fraction of the assembly tolerance by which a replaced panel has moved at least."""
_REPLACED_RATIO = 5.0
"""Ratio of its motion in sigma to the median of the other panels, unless these have not moved."""
_FEW = 0.1
"""Fraction of the panels that may be replaced at once; if more moved, it is a drift."""


def drift(
    layout: Layout,
    one: ComparedCalibration,
    other: ComparedCalibration,
    shared: tuple[float, float],
    repeat_mm: float = 0.0,
) -> Drift:
    """Difference ``other`` - ``one`` after alignment, with its significance.

    ``shared`` is the fraction of the reflections of each calibration that comes from common
    datasets; ``repeat_mm`` is the repeatability of the detector from one occasion to another
    (``calib.solve.panels.repeatability``). Raises ``LayoutError`` if the numbers of panels differ.
    """
    n = len(layout)
    for measured in (one, other):
        if len(measured.estimate.status) != n:
            raise LayoutError(
                "other-layout",
                f"a calibration of {len(measured.estimate.status)} panels cannot be compared on "
                f"a layout of {n}.",
                remedy="compare calibrations of the same detector.",
            )
    compared = CalibrationDifference(layout, one, other, shared, repeat_mm)
    moved, on = _named(compared)
    return _concluded(compared, moved, on, shared)


def _named(compared: CalibrationDifference) -> tuple[tuple[int, ...], Bools]:
    """Panels that moved, and the mask (n,) of panels to align on.

    Panels are identified one by one in order of significance, and each is then excluded from the
    alignment. If these are more than a third, the significant panels in the common alignment are
    returned instead.
    """
    on = compared.known.copy()
    moved: list[int] = []
    most = max(1, int(on.sum()) // 3)
    while True:
        p_value, value, _ = compared.panels(on)
        # Several may have p = 0 in double precision: then the larger chi-square comes first.
        surest = min(np.flatnonzero(on), key=lambda k: (p_value[k], -value[k]), default=None)
        if surest is None or p_value[surest] * on.sum() > SIGNIFICANCE / 2.0:
            return tuple(sorted(moved)), on
        if len(moved) == most:
            break
        moved.append(int(surest))
        on[surest] = False
    p_value, _, _ = compared.panels(compared.known)
    adjusted = _holm(p_value, compared.known)
    return tuple(np.flatnonzero(adjusted <= SIGNIFICANCE / 2.0).tolist()), compared.known


def _concluded(
    compared: CalibrationDifference, moved: tuple[int, ...], on: Bools, shared: tuple[float, float]
) -> Drift:
    rest = compared.known.copy()
    rest[list(moved)] = False
    few = len(moved) <= max(1, int(_FEW * compared.known.sum()))
    difference, covariance = compared.aligned(on)
    chi_square, degrees = compared.chi_square(difference, covariance, compared.known)
    p_overall = chance_above(chi_square, degrees)
    p_value, value, panel_degrees = compared.panels(on)
    shift, sigma = (np.full((len(compared.layout), N_PARAMETERS), np.nan) for _ in range(2))
    shown = panel_degrees > 0 if not compared.same_data else compared.known
    where = np.ix_(np.flatnonzero(shown), np.array(compared.free))
    shift[where] = difference[shown]
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0)).reshape(difference.shape)
    sigma[where] = spread[shown]
    verdict = Verdict.SAME
    if moved or p_overall <= SIGNIFICANCE / 2.0:
        replaced = few and bool(moved) and _stand_out(compared, shift, moved, rest)
        verdict = Verdict.REPLACED if replaced else Verdict.DRIFTED
    return Drift(
        verdict=verdict,
        moved=moved,
        parameters=compared.free,
        shift=shift,
        sigma=sigma,
        motion_mm=corner_motion_mm(compared.layout, shift),
        panel_chi_square=value,
        panel_degrees=panel_degrees,
        panel_p_value=p_value,
        panel_p_holm=_holm(p_value, compared.known),
        chi_square=chi_square,
        degrees_of_freedom=degrees,
        p_value=p_overall,
        shared=shared,
        notes=tuple(_notes(compared, shared)),
        parts=compared.parts,
        repeat_mm=compared.repeat_mm,
    )


def _stand_out(
    compared: CalibrationDifference, shift: Floats, moved: tuple[int, ...], rest: Bools
) -> bool:
    """Whether the moved panels moved as far as replaced panels would, and the others did not."""
    distance = corner_motion_mm(compared.layout, shift)[list(moved)]
    if (distance < _REPLACED_SHARE * compared.tolerance_mm).any():
        return False
    value, degrees = compared.chi_square(*compared.aligned(rest), rest)
    if chance_above(value, degrees) > SIGNIFICANCE / 2.0:
        return True
    _, values, free = compared.panels(rest)
    in_sigma = np.sqrt(values / np.maximum(free, 1))
    return bool((in_sigma[list(moved)] >= _REPLACED_RATIO * np.median(in_sigma[rest])).all())


def corner_motion_mm(layout: Layout, shift: Floats) -> Floats:
    """Root mean square motion (n,) of each panel's corners in mm; NaN where nothing was compared.

    To first order in ``shift`` (n, 6), corners u move by t + w x u.
    """
    half = 0.5 * layout.size_mm
    t, w = np.nan_to_num(shift[:, TRANSLATIONS]), np.nan_to_num(shift[:, ROTATIONS])
    out = np.sum(t**2, axis=1)
    out += (w[:, 2] ** 2) * (half**2).sum(axis=1)
    out += (w[:, 0] * half[:, 1]) ** 2 + (w[:, 1] * half[:, 0]) ** 2
    return np.where(np.isfinite(shift).any(axis=1), np.sqrt(out), np.nan)


def _notes(compared: CalibrationDifference, shared: tuple[float, float]) -> list[str]:
    notes = []
    if compared.same_data:
        notes.append(
            "Both calibrations use the same data: they differ in method and cannot show a drift."
        )
    elif max(shared) >= 1.0:
        whole, in_other = ("first", "second") if shared[0] >= 1.0 else ("second", "first")
        notes.append(
            f"The {in_other} calibration includes all data of the {whole} one "
            f"({min(shared):.0%} of its reflections); the covariance accounts for this."
        )
    elif max(shared) > 0.0:
        notes.append(
            f"{shared[0]:.0%} of the reflections of the first calibration and {shared[1]:.0%} of "
            "those of the second come from common datasets: a small drift may be missed."
        )
    if compared.heights_unknown:
        notes.append(
            "Panel heights were fixed, and the sample positions are not recorded: heights seen "
            "from different positions may explain the difference."
        )
    left = int((~compared.known).sum())
    if left:
        notes.append(
            f"{left} of {len(compared.known)} panels are not measured in both calibrations and "
            "were not compared."
        )
    return notes


def _holm(p_value: Floats, on: Bools) -> Floats:
    """Holm-adjusted p-values (n,) over the panels ``on`` (n,); 1 for the others."""
    out = np.ones(len(p_value))
    out[on] = holm(p_value[on])
    return out
