"""Standard deviation of delta-psi for each still, since files state no variance for it.

The scatter comes from the mosaicity of the crystal and the bandwidth of the beam, and differs
between crystals by factors of up to ten. Each still gets its own robust spread, shrunk towards that
of all stills as if this had been observed on 20 more reflections.
"""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Bools, Floats
from calib.solve.dataset.observations import Observations
from calib.solve.dataset.outliers import SIGMA_PER_MAD

_COMMON_COUNTS = 20.0
_SMALLEST_RAD = 1e-6
"""Lower limit: simulated stills without any spread get a finite weight."""


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
