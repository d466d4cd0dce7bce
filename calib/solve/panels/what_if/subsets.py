"""Rows of the what-if table without some of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calib.model.detector.correction import Correction
from calib.model.detector.layout import Layout
from calib.model.result.report import DatasetUse
from calib.model.result.what_if import Choice
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.distances import distance_groups
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.panels.what_if.alternatives import Alternatives
from calib.solve.panels.what_if.table import Subset

_MOST_DATASETS = 12
"""Of more datasets, only those with the most reflections are left out by themselves."""


def subsets_of(
    layout: Layout,
    correction: Correction,
    stored: TwistEquations,
    uses: Sequence[DatasetUse],
    whole: PanelEquations,
    alternatives: Alternatives | None,
) -> list[Subset]:
    """The equations without each dataset, without each distance and, where they were computed,
    without halves of scans.

    ``stored`` holds the equations of the datasets ``uses``, and ``whole`` their sum at
    ``correction``.
    """
    counts = np.array([use.n_reflections for use in uses])
    largest = np.sort(np.argsort(-counts, kind="stable")[:_MOST_DATASETS]).tolist()
    _, distance = distance_groups([use.distance_mm for use in uses])
    wanted: list[tuple[Choice, tuple[int, ...]]] = [
        (Choice.WITHOUT_DATASET, (place,)) for place in largest if len(uses) > 1
    ]
    for number in range(max(distance) + 1 if max(distance) else 0):
        members = tuple(np.flatnonzero(np.equal(distance, number)).tolist())
        if len(members) > 1 or len(uses) > len(largest):
            wanted.append((Choice.WITHOUT_DISTANCE, members))
    found: list[Subset] = [
        (choice, members, whole.minus(StoredEquations(layout, stored[members]).at(correction)))
        for choice, members in wanted
    ]
    if alternatives is not None:
        halves = alternatives.datasets.items()
        found += [(choice, (place,), others) for (choice, place), others in halves]
    return found
