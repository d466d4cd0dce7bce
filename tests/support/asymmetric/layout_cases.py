"""Answers about layouts, with numbers that all differ."""

from __future__ import annotations

from dataclasses import dataclass

from calib.model.detector.families import built_in
from calib.model.detector.known_detector import KnownDetector, read_family
from calib.report.layouts import (
    conversion_blocks,
    conversion_view,
    layout_blocks,
    layout_table,
    layout_view,
    module_views,
)
from support.asymmetric.case import Case
from support.simulated import LAMBDA


def _detectors() -> list[KnownDetector]:
    own = read_family(LAMBDA, "settings/layouts/lambda.toml")
    return [built_in().get("EIGER2 16M in 4M ROI"), *own]


def layouts() -> Case:
    """Known detectors: a region, a grid, and single modules."""
    views = [layout_view(detector) for detector in _detectors()]
    return Case(views, [layout_table(views)])


def layout(*, all_panels: bool) -> Case:
    """One known detector."""
    detector = _detectors()[2 if all_panels else 0]
    view = {**layout_view(detector), "panels": module_views(detector)}
    return Case(view, layout_blocks(view, all_panels=all_panels))


@dataclass(frozen=True)
class _Moved:
    n_kept: int = 9173
    n_in_gaps: int = 581
    n_across: int = 37
    n_cut: int = 64
    left_out: tuple[str, ...] = ("new",)


def split() -> Case:
    """Two detectors that were split, and their reflections."""
    known = built_in()
    view = conversion_view(
        ["a.expt", "a.refl"],
        ["a_split.expt", "a_split.refl"],
        [(0, known.get("PILATUS 2M")), (3, known.get("EIGER2 9M"))],
        _Moved(),
        ["581 reflections are in gaps between modules and were left out."],
        written=True,
    )
    return Case(view, conversion_blocks(view))
