"""Whether squared residuals of the same reflections have increased, by groups of reflections.

The difference of the squared residuals of a reflection with two models is summed over blocks of
time, within which residuals may be correlated. With D_b the sum over the n_b reflections of a
group in block b, and m the mean difference of the group, the sum of all D_b has the variance

    sum over b of (D_b - n_b m)^2 B / (B - 1),

of B blocks, or that of independent reflections, whichever is larger.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from calib.model.base.arrays import Floats, Ints
from calib.solve.algebra.statistics import chance_beyond


@dataclass(frozen=True, slots=True, eq=False)
class PairedDifferences:
    """Sums over reflections and blocks of g groups; those of several datasets are added."""

    count: Floats
    """(g,) number of reflections."""
    total: Floats
    """(g, 2) sum of the differences, after minus before, of the squares of x and y in px^2."""
    squares: Floats
    """(g, 2) sum of their squares."""
    blocks: Floats
    """(g,) number of blocks."""
    block_counts: Floats
    """(g,) sum of n_b^2."""
    block_products: Floats
    """(g, 2) sum of n_b D_b."""
    block_squares: Floats
    """(g, 2) sum of D_b^2."""

    @staticmethod
    def of(
        before: Floats, after: Floats, group: Ints, block: Ints, n_groups: int
    ) -> PairedDifferences:
        """The sums of residuals in px, whose rows 0 and 1 (n,) are x and y.

        Each reflection belongs to a group (n,) and to a block (n,).
        """
        place, own = np.unique(
            group.astype(np.int64) * (int(block.max(initial=0)) + 1) + block, return_inverse=True
        )
        group_of = place // (int(block.max(initial=0)) + 1)
        n_blocks = len(place)
        n = np.bincount(own, minlength=n_blocks).astype(np.float64)
        both = [after[axis] ** 2 - before[axis] ** 2 for axis in range(2)]
        sums = [np.bincount(own, one, n_blocks).astype(np.float64) for one in both]

        def by_group(values: Floats) -> Floats:
            return np.bincount(group_of, values, n_groups).astype(np.float64)

        return PairedDifferences(
            count=by_group(n),
            total=np.stack([by_group(one) for one in sums], axis=1),
            squares=np.stack([np.bincount(group, one**2, n_groups) for one in both], axis=1),
            blocks=by_group(np.ones(n_blocks)),
            block_counts=by_group(n**2),
            block_products=np.stack([by_group(n * one) for one in sums], axis=1),
            block_squares=np.stack([by_group(one**2) for one in sums], axis=1),
        )

    def plus(self, other: PairedDifferences) -> PairedDifferences:
        """The sums over the reflections of both; their blocks are different ones."""
        names = [one.name for one in fields(self)]
        return PairedDifferences(**{k: getattr(self, k) + getattr(other, k) for k in names})

    def chances(self) -> Floats:
        """(g, 2) probability that squares increase by chance as much as those of x and y did; 1 in
        groups of fewer than two reflections."""
        n = np.maximum(self.count, 1.0)[:, None]
        mean = self.total / n
        alone = (self.squares - n * mean**2) * (n / np.maximum(n - 1.0, 1.0))
        blocks = self.blocks[:, None]
        between = (
            self.block_squares
            - 2.0 * mean * self.block_products
            + mean**2 * self.block_counts[:, None]
        ) * (blocks / np.maximum(blocks - 1.0, 1.0))
        variance = np.maximum(alone, np.where(blocks > 1.0, between, 0.0))
        known = (variance > 0.0) & (self.count[:, None] > 1.0)
        level = np.where(known, self.total / np.sqrt(np.where(known, variance, 1.0)), -np.inf)
        return chance_beyond(level)
