"""Detector distances of datasets, and the parameters that they determine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.errors import InputError
from calib.model.base.bounds import DISTANCE_MM, brief
from calib.model.base.text import joined
from calib.model.detector.correction import Freedom
from calib.model.result.report import SAME_DISTANCE


def merged_distances(distances_mm: Sequence[float]) -> tuple[float, ...]:
    """Distances in ascending order, those within 1 % of one another as their mean."""
    groups: list[list[float]] = []
    for distance in sorted(distances_mm):
        if groups and distance <= groups[-1][0] * (1.0 + SAME_DISTANCE):
            groups[-1].append(distance)
        else:
            groups.append([distance])
    return tuple(float(np.mean(group)) for group in groups)


def freedom_for(asked: Freedom | None, distances_mm: Sequence[float]) -> tuple[Freedom, str]:
    """Which parameters are refined, and the reason; ``distances_mm`` as merged."""
    if asked is not None:
        return asked, "asked for with --freedom"
    shown = f"{joined([f'{distance:.0f}' for distance in distances_mm])} mm"
    if len(distances_mm) == 1:
        return Freedom.FULL, (
            f"one distance only ({shown}): the prior restrains what it determines poorly"
        )
    return Freedom.FULL, f"distances of {shown}"


def check_distance(distance_mm: float) -> None:
    """Raise ``InputError`` (``bad-distance``) for a distance out of bounds."""
    if distance_mm not in DISTANCE_MM:
        raise InputError(
            "bad-distance",
            f"{brief(distance_mm)} mm is not a distance.",
            remedy=f"use --distance-mm with {DISTANCE_MM.expected}.",
        )
