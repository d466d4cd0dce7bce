"""Comparisons of datasets with one another: each alone, each distance, each occasion, and the first
ones, in the order of time or in that in which they were given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.comparison import Compared, Comparison, Repeatability
from calib.model.result.report import DatasetUse
from calib.solve.dataset.panel_equations import PanelEquations
from calib.solve.panels.comparisons import IN_PLANE, CommonSolution, Contrast, compared
from calib.solve.panels.distances import distance_groups
from calib.solve.panels.repeatability import DEFAULT_REPEAT_MM, repeatability
from calib.solve.panels.repeatability_estimate import estimated_repeatability
from calib.solve.panels.stored_equations import StoredEquations, TwistEquations
from calib.solve.panels.system import PanelSystem
from calib.solve.prior import PanelPrior

_MOST_DATASETS = 40
"""Of more datasets, only those with the most reflections are compared by themselves."""
_FEWEST_IN_HALVES, _FEWEST_IN_QUARTERS = 4, 8
"""Datasets from which on the first half, or quarter, of them is compared with the others."""
_Part = tuple[Compared, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class DatasetComparisons:
    """Comparisons of datasets, and the repeatability estimated from their occasions."""

    comparisons: tuple[Comparison, ...]
    repeatability: Repeatability | None


def compared_datasets(
    layout: Layout,
    prior: PanelPrior,
    correction: Correction,
    stored: TwistEquations,
    uses: Sequence[DatasetUse],
    occasions: Sequence[int] | None,
    inflation: float,
) -> DatasetComparisons:
    """The verdict on each part of the datasets against all others, none twice.

    ``stored`` holds the equations of the datasets ``uses``, in the same order; ``occasions`` the
    number of the occasion of each, None where the times are unknown. ``inflation`` is the variance
    of noise relative to that of the equations.
    """
    found = dataset_contrasts(layout, prior, correction, stored, uses, occasions)
    contrasts = [one.with_noise(inflation) for one in found]
    repeatability = None
    if occasions is not None:
        wanted = set(_groups(occasions))
        own = [one for one in contrasts if one.datasets in wanted]
        if len(own) == len(wanted):
            repeatability = estimated_repeatability(own)
    return DatasetComparisons(compared(contrasts, pixel_mm(layout)), repeatability)


def dataset_contrasts(
    layout: Layout,
    prior: PanelPrior,
    correction: Correction,
    stored: TwistEquations,
    uses: Sequence[DatasetUse],
    occasions: Sequence[int] | None,
) -> Iterator[Contrast]:
    """Each part of the datasets against all others, as for ``compared_datasets``."""
    parts = _parts(uses, occasions)
    if not parts:
        return
    system = PanelSystem(layout, Freedom.FULL, prior)
    total = StoredEquations(layout, stored).at(correction)
    common = CommonSolution(system, correction, [total])
    once = repeatability(layout, DEFAULT_REPEAT_MM, IN_PLANE)
    for kind, members in parts:
        own: PanelEquations = StoredEquations(layout, stored[members]).at(correction)
        yield common.contrast(own, kind, members, _factor(members, occasions) * once)


def _factor(members: tuple[int, ...], occasions: Sequence[int] | None) -> float:
    """The factor on the repeatability of one occasion; without times each part has one."""
    if occasions is None:
        return 2.0
    mine = {occasions[place] for place in members}
    others = {one for place, one in enumerate(occasions) if place not in members}
    return 1.0 / len(mine) + 1.0 / len(others)


def _parts(uses: Sequence[DatasetUse], occasions: Sequence[int] | None) -> list[_Part]:
    """The parts to be compared with all others, without repetitions and complements."""
    n = len(uses)
    counts = np.array([use.n_reflections for use in uses])
    largest = np.sort(np.argsort(-counts, kind="stable")[:_MOST_DATASETS]).tolist()
    _, distance = distance_groups([use.distance_mm for use in uses])
    wanted: list[_Part] = [(Compared.DATASET, (place,)) for place in largest]
    wanted += [(Compared.DISTANCE, one) for one in _groups(distance)]
    order = list(range(n)) if occasions is None else sorted(range(n), key=occasions.__getitem__)
    wanted += [(Compared.DATASET, tuple(sorted(order[:cut]))) for cut in _cuts(n)]
    if occasions is not None:
        wanted += [(Compared.OCCASION, one) for one in _groups(occasions)]
    found: list[_Part] = []
    seen: set[frozenset[int]] = {frozenset(), frozenset(range(n))}
    for kind, members in wanted:
        own = frozenset(members)
        if own not in seen:
            seen |= {own, frozenset(range(n)) - own}
            found.append((kind, members))
    return found


def _cuts(n_datasets: int) -> list[int]:
    """After how many datasets a detector that changed in between is looked for: a half, and of
    eight datasets or more each quarter."""
    quarters = (1, 2, 3) if n_datasets >= _FEWEST_IN_QUARTERS else (2,)
    return [n_datasets * k // 4 for k in quarters] if n_datasets >= _FEWEST_IN_HALVES else []


def _groups(numbers: Sequence[int]) -> list[tuple[int, ...]]:
    """The places of each number."""
    return [
        tuple(place for place, one in enumerate(numbers) if one == number)
        for number in sorted(set(numbers))
    ]


def pixel_mm(layout: Layout) -> float:
    """The size of the panels' pixels in mm, as the median over panels and axes."""
    sizes: Floats = np.array([panel.pixel_mm for panel in layout.panels])
    return float(np.median(sizes))
