"""Reflections with nothing but what rejection looks at."""

from __future__ import annotations

import numpy as np

from calib.model.base.arrays import Ints
from calib.solve.dataset.observations import Observations


def observations(panel: Ints, sigma: float = 1.0) -> Observations:
    """Reflections of one experiment on these panels, for the classification of outliers."""
    panel = np.sort(panel)
    n = len(panel)
    starts = [0, *(np.flatnonzero(np.diff(panel)) + 1).tolist(), n]
    return Observations(
        experiment=np.zeros(n, dtype=np.int64),
        panel=panel,
        fold=np.zeros(n, dtype=np.int64),
        hkl=np.zeros((3, n), dtype=np.float32),
        observed=np.zeros((3, n)),
        sigma=np.full((3, n), sigma),
        flagged_on_panel=np.zeros(int(panel.max()) + 1, dtype=np.int64),
        n_unfit=0,
        group_start=np.array(starts),
        first=np.zeros(n, dtype=np.int64),
        basis=None,
    )
