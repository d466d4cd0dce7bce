"""Reasons not to accept a derivation that lie in residuals: of single datasets, and of shells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.base.text import panel_numbers
from calib.model.result.report import BeforeAfter, DatasetUse, Shell
from calib.solve.algebra.statistics import chance_beyond, holm
from calib.solve.dataset.outliers import MOST_REJECTED, MOST_REJECTED_ON_PANEL

_MAX_SCALE_RATIO = 3.0
"""Between observed over stated standard deviations of coordinates or datasets."""
_MOST_LIMITED = 0.1
"""Fraction of the panels that may have more than twice as many outliers as may be rejected, as ice
rings and shadows affect few panels; one panel may in any case."""
_TWICE = 2.0
"""Outliers over the limits of rejection. Once is usual: centroids have heavy tails."""

_WORSE_FACTOR, _WORSE_PX, _WORSE_CHANCE = 1.05, 0.01, 1e-3
"""An RMSD is worse if it increased by this factor, by so many pixels, and with no more than this
probability by chance (Holm)."""
_Increase = tuple[int, str, float, float]
"""Place in the list, axis, and RMSD in px before and after."""


def shell_reasons(shells: Sequence[Shell]) -> list[str]:
    """Reasons not to accept corrections with which held-out reflections of a resolution shell fit
    worse than with nominal panels."""
    return [
        f"Held-out RMSD in {axis} increased from {before:.3f} to {after:.3f} px between "
        f"{shells[place].d_max_angstrom:.2f} and {shells[place].d_min_angstrom:.2f} Angstrom: the "
        "panels describe something that depends on the scattering angle and is not in the model. "
        "Add data at another distance, or exclude the dataset that fits worst."
        for place, axis, before, after in _increases([shell.held_out for shell in shells])
    ]


def axis_reasons(held_out: BeforeAfter | None) -> list[str]:
    """Reasons not to accept corrections with which held-out reflections fit worse in x or in y."""
    return [
        f"Held-out RMSD in {axis} increased from {before:.3f} to {after:.3f} px: the panels "
        "describe something that is not in the model. Exclude the dataset that fits worst."
        for _, axis, before, after in _increases([held_out])
    ]


def left_out_reasons(datasets: Sequence[DatasetUse]) -> list[str]:
    """Reasons not to accept corrections that describe a dataset worse than nominal panels do if
    they are derived from the others."""
    return [
        f"Cross-validation: {datasets[place].name} fits worse with corrections from the other "
        f"datasets than with the nominal geometry (RMSD in {axis} {after:.3f} px, nominal "
        f"{before:.3f} px). It is of another state of the detector, or has errors that no "
        "parameter describes. Leave it out, or derive it separately."
        for place, axis, before, after in _increases([use.left_out for use in datasets])
    ]


def _increases(pairs: Sequence[BeforeAfter | None]) -> list[_Increase]:
    """The increases of RMSD that count."""
    found: list[_Increase] = []
    chances: list[float] = []
    for place, both in enumerate(pairs):
        if both is None:
            continue
        one, other = both.before, both.after
        found += [
            (place, "x", one.rms_x_px, other.rms_x_px),
            (place, "y", one.rms_y_px, other.rms_y_px),
        ]
        chances += both.chance or _independent(both)
    worse = holm(np.array(chances)) < _WORSE_CHANCE
    return [
        one
        for one, sure in zip(found, worse.tolist(), strict=True)
        if sure and one[3] > max(_WORSE_FACTOR * one[2], one[2] + _WORSE_PX)
    ]


def _independent(both: BeforeAfter) -> tuple[float, float]:
    """The probability for x and y as if the two residuals of a reflection were independent of each
    other, which overestimates the scatter of their difference."""
    before = np.array([both.before.rms_x_px, both.before.rms_y_px]) ** 2
    after = np.array([both.after.rms_x_px, both.after.rms_y_px]) ** 2
    scatter = np.sqrt(2.0 * (before**2 + after**2) / both.after.n)
    x, y = chance_beyond((after - before) / np.maximum(scatter, 1e-300)).tolist()
    return x, y


def outlier_reasons(datasets: Sequence[DatasetUse], n_panels: int) -> list[str]:
    """Reasons not to accept data of which many reflections are outliers, of a dataset as a whole or
    on more than one in ten of the panels of the detector."""
    reasons = []
    for use in datasets:
        outliers, n = use.n_rejected + use.n_outliers_kept, use.n_rejected + use.n_reflections
        if outliers >= _TWICE * MOST_REJECTED * n and use.n_outliers_kept:
            reasons.append(
                f"{use.name}: {outliers} of {n} reflections are outliers, more than twice the "
                f"{MOST_REJECTED:.0%} that may be rejected: perhaps a second lattice, wrong Miller "
                "indices or poor centroids. Index it again, or exclude it."
            )
        elif len(use.limited_panels) > max(1.0, _MOST_LIMITED * n_panels):
            reasons.append(
                f"{use.name}: on {panel_numbers(use.limited_panels)} more than "
                f"{_TWICE * MOST_REJECTED_ON_PANEL:.0%} of the reflections are outliers: "
                "perhaps a shadow, ice rings or a second lattice. Exclude the dataset."
            )
    return reasons


def scale_reasons(datasets: Sequence[DatasetUse]) -> list[str]:
    """Reasons not to accept data whose residuals in one coordinate, or one dataset, are far larger
    relative to their stated variances than in the others."""
    reasons = []
    for use in datasets:
        x, y, phi = use.weight_scale
        pairs = [("x", x, "y", y), ("y", y, "x", x)]
        if not use.still:
            pairs.append(("phi", phi, "x and y", max(x, y)))
        reasons += [
            f"{use.name}: residuals in {name} are {scale:.2g} times the stated standard "
            f"deviations, those in {other} {usual:.2g} times: something that is not in the model "
            f"acts on {name}. Exclude the dataset."
            for name, scale, other, usual in pairs
            if scale > _MAX_SCALE_RATIO * usual
        ]
    return reasons + _datasets_apart(datasets)


def _datasets_apart(datasets: Sequence[DatasetUse]) -> list[str]:
    """Reasons for datasets of which scale and residuals in x or y are far larger than those of the
    others: a larger scale alone may come from the unit of the stated variances."""
    reasons = []
    for index, name in enumerate(("x", "y")):
        scales = [use.weight_scale[index] for use in datasets]
        rms = [(use.rmsd.after.rms_x_px, use.rmsd.after.rms_y_px)[index] for use in datasets]
        for place, use in enumerate(datasets):
            others = [k for k in range(len(scales)) if k != place]
            if not others:
                continue
            usual = float(np.median([scales[k] for k in others]))
            usual_px = float(np.median([rms[k] for k in others]))
            if (
                scales[place] > _MAX_SCALE_RATIO * usual
                and rms[place] > _MAX_SCALE_RATIO * usual_px
            ):
                reasons.append(
                    f"{use.name}: residuals in {name} are {scales[place]:.2g} times the stated "
                    f"standard deviations ({rms[place]:.3f} px), those of the other datasets "
                    f"{usual:.2g} times ({usual_px:.3f} px). Exclude the dataset."
                )
    return reasons
