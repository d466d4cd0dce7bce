"""Standard deviations of centroids: stated variances are relative, observed residuals decide.

In each coordinate the observed variance is a line over the stated one, of which two numbers, a
floor and a slope, are found from the residuals (``calib.solve.algebra.variance_line``). A scale of
all standard deviations then makes the mean square of the residuals that are kept what it should be.
Neither depends on the unit of the stated variances.

Files state no variance of delta-psi. Its scatter comes from the mosaicity of the crystal and the
bandwidth of the beam, and differs between crystals by factors of up to ten. Each still gets its own
robust spread, shrunk towards that of all stills as if this had been observed on 20 more
reflections.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.solve.algebra.statistics import SIGMA_PER_MAD
from calib.solve.algebra.variance_line import variance_line
from calib.solve.dataset.fit import DatasetFit
from calib.solve.dataset.observations import Observations

_COMMON_COUNTS = 20.0
_SMALLEST_RAD = 1e-6
"""Lower limit: simulated stills without any spread get a finite weight."""
_USUAL_COUNTS = 3.0
"""Weight of the usual standard deviations against the observed ones, in reflections. The observed
scatter of a few reflections vanishes if pose, crystal and panels can fit them exactly."""


def with_variances_found(fit: DatasetFit, residuals: Floats, *, in_place: bool) -> DatasetFit:
    """The fit with standard deviations that follow the residuals (3, n).

    Delta-psi is weighted by its own spread, independently of the scale of phi. The line over stated
    variances is found once the panels are refined (``in_place``), and of phi only if no experiment
    is a still.
    """
    still = fit.instrument.still[fit.seen.experiment]
    rows = list(fit.seen.sigma)
    if fit.seen.flagged is not None:
        residuals = np.where(fit.admitted, residuals, np.nan)
    for row in range(2 if still.any() else 3) if in_place else ():
        rows[row] = _on_line(rows[row], residuals[row])
    if still.any():
        rows[2] = spread_of_delta_psi(fit.seen, residuals[2], fit.instrument.still)
        if not still.all():
            rows[2][still] /= fit.scale[2]
    if all(new is old for new, old in zip(rows, fit.seen.sigma, strict=True)):
        return fit
    return replace(fit, seen=replace(fit.seen, sigma=np.stack(rows)))


def _on_line(sigma: Floats, residuals: Floats) -> Floats:
    """Standard deviations (n,) of the same mean square, on the line that the residuals follow.

    The line is never level, so that the order of the stated ones is kept, and can be followed again
    from the result.
    """
    stated = sigma**2
    line = variance_line(stated, residuals)
    if line is None:
        return sigma
    found = line.at(stated)
    return np.asarray(np.sqrt(found * (stated.mean() / found.mean())))


def with_weights(fit: DatasetFit, residuals: Floats) -> DatasetFit:
    """The fit with scales of its standard deviations that agree with the residuals (3, n)."""
    free = fit.n_parameters / 3.0 / max(fit.n_trusted, 1.0)
    scale, usual = np.empty(3), fit.usual_sigma
    for row, sigma in enumerate(fit.seen.sigma):
        kept = fit.keep if row < 2 else _phi_is_kept(fit)
        size, trust = residuals[row, kept] / sigma[kept], fit.trust[kept]
        total = float(np.square(size, out=size) @ trust)
        spare = max(float(trust.sum()) * (1.0 - free), 0.0)
        expected = _USUAL_COUNTS * (usual[row] / float(np.median(sigma))) ** 2
        scale[row] = np.sqrt((total + expected) / (spare + _USUAL_COUNTS))
    return replace(fit, scale=scale)


def _phi_is_kept(fit: DatasetFit) -> Bools:
    """Mask (n,) of kept reflections whose third coordinate determines its scale: phi if there are
    scans, else delta-psi."""
    still = fit.instrument.still[fit.seen.experiment]
    return fit.keep if still.all() else np.asarray(fit.keep & ~still)


def spread_of_delta_psi(seen: Observations, delta_psi: Floats, still: Bools) -> Floats:
    """Standard deviations (n,) of the third coordinate: for stills the spread of ``delta_psi``
    (n,), for scans the stated values. ``still`` (e,) states which experiments are stills."""
    mine = np.flatnonzero(still[seen.experiment])
    out: Floats = seen.sigma[2].copy()
    if not len(mine):
        return out
    size = np.abs(delta_psi[mine])
    size = np.where(np.isfinite(size), size, np.inf)
    experiment = seen.experiment[mine]
    order = np.lexsort((size, experiment))
    start = np.flatnonzero(np.diff(experiment, prepend=-1))
    count = np.diff(start, append=len(experiment))
    middle = size[order[start + count // 2]]
    common = float(np.median(size))
    middle = np.where(np.isfinite(middle), middle, common)
    own = (count * middle**2 + _COMMON_COUNTS * common**2) / (count + _COMMON_COUNTS)
    out[mine] = np.repeat(np.maximum(SIGMA_PER_MAD * np.sqrt(own), _SMALLEST_RAD), count)
    return out
