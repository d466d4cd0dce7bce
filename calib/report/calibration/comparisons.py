"""Comparisons of parts of the data: halves, datasets, distances, occasions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.base.text import joined
from calib.model.result.comparison import Agreement, Compared, Comparison, Repeatability
from calib.model.result.report import Report
from calib.report.blocks import NONE, Block, Sentences, Table, View, fixed, general
from calib.report.scalar import number

_CODES = {
    Compared.HALVES: "halves-disagree",
    Compared.DATASET: "datasets-disagree",
    Compared.DISTANCE: "distances-disagree",
    Compared.OCCASION: "occasions-disagree",
}
_WORDS = {
    Compared.HALVES: "halves of",
    Compared.DATASET: "dataset",
    Compared.DISTANCE: "distance of",
    Compared.OCCASION: "occasion of",
}
_BLIND = (
    "These comparisons cannot see what all data have in common, such as a wrong pixel size or "
    "sensor thickness."
)
_MOST_NAMES = 3


def comparison_views(report: Report) -> list[dict[str, Any]]:
    """Each comparison; sizes in um."""
    return [_view(one, report) for one in report.all_comparisons]


def comparison_warnings(report: Report) -> list[dict[str, Any]]:
    """Each comparison that found a difference: its code, the first dataset of the part, the most
    significantly displaced panel and its displacement in um."""
    return [
        {
            "code": _CODES[one.kind],
            "dataset": report.datasets[one.datasets[0]].name,
            "panel": one.worst_panel,
            "size": number(one.worst_um),
        }
        for one in report.all_comparisons
        if one.agreement is Agreement.DISAGREES
    ]


def _view(one: Comparison, report: Report) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "datasets": [report.datasets[place].name for place in one.datasets],
        "agreement": one.agreement.value,
        "chi_square": number(one.chi_square),
        "degrees_of_freedom": one.degrees_of_freedom,
        "p_value": number(one.p_value),
        "size_um": number(one.size_um),
        "visible_um": number(one.visible_um),
        "panels": list(one.panels),
        "worst_panel": one.worst_panel,
        "worst_um": number(one.worst_um),
    }


def comparison_blocks(views: Sequence[View]) -> list[Block]:
    """A row for each comparison, and what none of them can see."""
    if not views:
        return []
    table = Table(
        "Comparisons of parts of the data, in um beyond expectation",
        (
            "part",
            "outcome",
            "chi-square per degree (noise)",
            "p",
            "size",
            "visible",
            "panel",
            "its size",
            "named",
        ),
        tuple(_row(view) for view in views),
        n_text=2,
    )
    return [table, Sentences("", (_BLIND,))]


def repeatability_view(found: Repeatability | None) -> dict[str, Any] | None:
    """The repeatability from one occasion to another, in um; None if it was not estimated."""
    if found is None:
        return None
    return {
        "panel_um": number(found.panel_um),
        "estimated_um": number(found.estimated_um),
        "at_least_um": number(found.at_least_um),
        "before_um": number(found.before_um),
        "n_occasions": found.n_occasions,
    }


def repeatability_blocks(view: View | None) -> list[Block]:
    """The repeatability in a sentence, if it was estimated."""
    if view is None:
        return []
    words = (
        f"{fixed(view['panel_um'], 1)} um from one occasion to another (1 sigma): "
        f"{fixed(view['estimated_um'], 1)} um from {view['n_occasions']} occasions, at least "
        f"{fixed(view['at_least_um'], 1)} um, and {fixed(view['before_um'], 1)} um known before."
    )
    return [Sentences("Repeatability of panels", (words,))]


def _row(view: View) -> tuple[str, ...]:
    reduced = view["chi_square"] / max(view["degrees_of_freedom"], 1)
    return (
        f"{_WORDS[Compared(view['kind'])]} {joined(view['datasets'], _MOST_NAMES)}",
        view["agreement"],
        fixed(reduced, 2),
        general(view["p_value"], 2),
        fixed(view["size_um"], 1),
        fixed(view["visible_um"], 1),
        str(view["worst_panel"]),
        fixed(view["worst_um"], 1),
        ", ".join(map(str, view["panels"])) or NONE,
    )
