"""Certifications as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Block, Sentences, Table, View, at_second, general, span


def certification_table(views: Sequence[View]) -> Table:
    """Certifications, withdrawn ones as well."""
    return Table(
        "Certifications",
        (
            "number",
            "calibration",
            "valid",
            "distances mm",
            "gap mm",
            "by",
            "recorded",
            "reason",
            "withdrawn",
        ),
        tuple(
            (
                "-" if view["number"] is None else str(view["number"]),
                view["calibration"],
                span(view["from"], view["to"]),
                f"{general(view['min_distance_mm'], 6)} to {general(view['max_distance_mm'], 6)}",
                general(view["gap_mm"], 6),
                view["recorded"]["by"],
                at_second(view["recorded"]["at"]),
                view["reason"] + (f" (override: {view['override']})" if view["override"] else ""),
                ""
                if view["withdrawn"] is None
                else f"{at_second(view['withdrawn']['at'])} by {view['withdrawn']['by']}: "
                f"{view['withdrawn']['reason']}",
            )
            for view in views
        ),
        n_text=9,
    )


def change_blocks(views: Sequence[View], affected: int) -> list[Block]:
    """What held before, what holds now, and how many files are concerned."""
    if not views:
        return [Sentences("", ("No answer changes.",))]
    table = Table(
        "What changes",
        ("for data of", "distances mm", "held before", "holds now"),
        tuple(
            (
                span(view["from"], view["to"]),
                f"{general(view['min_distance_mm'], 6)} to {general(view['max_distance_mm'], 6)}",
                _named(view["before"]),
                _named(view["after"]),
            )
            for view in views
        ),
        n_text=4,
    )
    are = "application is" if affected == 1 else "applications are"
    return [table, Sentences("", (f"{affected} recorded {are} affected.",))]


def change_sentences(views: Sequence[View]) -> list[str]:
    """The same in words, to be said before anything is done."""
    if not views:
        return ["No answer changes."]
    return [
        f"{_named(view['after'], 'nothing')} will hold for data of "
        f"{span(view['from'], view['to'])} at {general(view['min_distance_mm'], 6)} to "
        f"{general(view['max_distance_mm'], 6)} mm, instead of "
        f"{_named(view['before'], 'nothing')}."
        for view in views
    ]


def _named(view: View | None, none: str = NONE) -> str:
    if view is None:
        return none
    number = "" if view["number"] is None else f" (certification {view['number']})"
    return f"{view['calibration']}{number}"
