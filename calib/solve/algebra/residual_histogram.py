"""Residual statistics of any number of datasets, accumulated as sums and histograms.

Sums of squares are additive, medians are not. Absolute residuals are therefore counted in
logarithmic bins, 16 per octave, and a median is interpolated within its bin to about 0.1 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.model.result.report import BeforeAfter, Spread

_LOWEST, _OCTAVES, _PER_OCTAVE = -20, 32, 16
"""Bins from 2^-20 px, about a millionth of a pixel, to 2^12 px."""
_BINS = _OCTAVES * _PER_OCTAVE


@dataclass(frozen=True, slots=True, eq=False)
class ResidualHistogram:
    """Residuals before and after correction in g groups (panels or shells), in px, px and mrad."""

    count: Ints
    """(g,) number of reflections."""
    squares: Floats
    """(g, 2, 3) sums of squares before and after correction, of x, y and phi."""
    sizes: Ints
    """(g, 2, 3, bins) counts of absolute residuals per bin."""

    @staticmethod
    def of(before: Floats, after: Floats, group: Ints, n_groups: int) -> ResidualHistogram:
        """Histogram of residuals (3, n), each of which belongs to one group (n,)."""
        squares = np.empty((n_groups, 2, 3))
        sizes = np.empty((n_groups, 2, 3, _BINS), dtype=np.int64)
        for model, residuals in enumerate((before, after)):
            for row, found in enumerate(residuals):
                squares[:, model, row] = np.bincount(group, found**2, n_groups)
                place = group * _BINS + _bin_of(found)
                counts = np.bincount(place, minlength=n_groups * _BINS)
                sizes[:, model, row] = counts.reshape(n_groups, _BINS)
        return ResidualHistogram(np.bincount(group, minlength=n_groups), squares, sizes)

    def plus(self, other: ResidualHistogram) -> ResidualHistogram:
        """Sum of both histograms."""
        return ResidualHistogram(
            self.count + other.count, self.squares + other.squares, self.sizes + other.sizes
        )

    def whole(self) -> BeforeAfter | None:
        """Statistics over all groups; None if there are no reflections."""
        return _compared(int(self.count.sum()), self.squares.sum(axis=0), self.sizes.sum(axis=0))

    def group(self, index: int) -> BeforeAfter | None:
        """Statistics of one group; None if it has no reflections."""
        return _compared(int(self.count[index]), self.squares[index], self.sizes[index])


def _bin_of(residuals: Floats) -> Ints:
    size = np.log2(np.maximum(np.abs(residuals), 2.0**_LOWEST))
    place = ((size - _LOWEST) * _PER_OCTAVE).astype(np.int64)
    return np.asarray(np.minimum(place, _BINS - 1))


def _compared(count: int, squares: Floats, sizes: Ints) -> BeforeAfter | None:
    if not count:
        return None
    before, after = (_spread(count, squares[k], sizes[k]) for k in range(2))
    return BeforeAfter(before, after)


def _spread(count: int, squares: Floats, sizes: Ints) -> Spread:
    rms = np.sqrt(squares / count)
    middle = [_median(row) for row in sizes]
    return Spread(
        n=count,
        rms_x_px=float(rms[0]),
        rms_y_px=float(rms[1]),
        median_abs_x_px=middle[0],
        median_abs_y_px=middle[1],
        rms_phi_mrad=float(rms[2]),
        median_abs_phi_mrad=middle[2],
    )


def _median(sizes: Ints) -> float:
    """Median from counts per bin (bins,), interpolated linearly within the bin."""
    reached = np.cumsum(sizes)
    half = 0.5 * reached[-1]
    place = int(np.searchsorted(reached, half))
    before = reached[place] - sizes[place]
    low, high = (2.0 ** (_LOWEST + (place + k) / _PER_OCTAVE) for k in range(2))
    return float(low + (high - low) * (half - before) / sizes[place])
