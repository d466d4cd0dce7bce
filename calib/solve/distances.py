"""Datasets by their distance."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.report import SAME_DISTANCE


def distance_groups(distances_mm: Sequence[float]) -> tuple[list[float], list[int]]:
    """Distances within 1 % of one another as one: the smallest of each group, ascending, and the
    group that each belongs to."""
    group = [0] * len(distances_mm)
    bounds: list[float] = []
    for distance, place in sorted((d, i) for i, d in enumerate(distances_mm)):
        if not bounds or distance > bounds[-1] * (1.0 + SAME_DISTANCE):
            bounds.append(distance)
        group[place] = len(bounds) - 1
    return bounds, group
