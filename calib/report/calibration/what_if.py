"""The what-if table, and the parts of the uncertainty."""

from __future__ import annotations

from typing import Any

from calib.model.base.text import joined
from calib.model.result.report import Report
from calib.model.result.what_if import Choice, WhatIf, WhatIfRow
from calib.report.blocks import NONE, Block, Sentences, Table, View, fixed, general
from calib.report.scalar import number

_CODES = {
    Choice.SYMMETRY_IMPOSED: "depends-on-symmetry",
    Choice.SYMMETRY_FREED: "depends-on-symmetry",
    Choice.BEAM_HELD: "depends-on-beam",
    Choice.BEAM_FREED: "depends-on-beam",
    Choice.SHIFT_HELD: "depends-on-shift",
    Choice.CRYSTALS_STATIC: "depends-on-crystals",
    Choice.FULL: "depends-on-heights",
    Choice.PHI: "depends-on-phi",
}
"""Codes of warnings about other models."""
_MOST_NAMES = 3
_TITLE = "What if: motion of the panels under other choices, in um"


def what_if_view(report: Report, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The rows of the table; ``names`` are those of the panels. None if not recorded."""
    found = report.what_if
    if found is None:
        return None
    return {
        "rows": [_row_view(row, report, names) for row in found.rows],
        "n_model_displacements": None if found.model is None else len(found.model),
    }


def sigma_view(found: WhatIf | None) -> dict[str, Any] | None:
    """What the uncertainty of dx and dy of a measured panel consists of, in um; None if not
    recorded."""
    if found is None:
        return None
    return {
        "noise": number(found.parts.noise_um),
        "repeatability": number(found.parts.repeatability_um),
        "model": number(found.parts.model_um),
    }


def sigma_facts(view: View | None) -> list[tuple[str, str]]:
    """The same in words."""
    return [] if view is None else [("Sigma of dx and dy", parts_words(view))]


def parts_words(sigma_um: View) -> str:
    """What an uncertainty consists of: ``3.0 um noise, 4.0 um repeatability, model not
    estimated``."""
    noise, repeat, model = (sigma_um[part] for part in ("noise", "repeatability", "model"))
    words = "model not estimated" if model is None else f"{fixed(model, 1)} um model"
    return f"{fixed(noise, 1)} um noise, {fixed(repeat, 1)} um repeatability, {words}"


def what_if_warnings(report: Report) -> list[dict[str, Any]]:
    """Each row of another model that moves the panels significantly: its code, the panel that moves
    farthest, and how far, in um."""
    if report.what_if is None:
        return []
    return [
        {
            "code": _CODES[row.choice],
            "dataset": None,
            "panel": row.panel,
            "size": number(row.largest_um),
        }
        for row in report.what_if.named
    ]


def _row_view(row: WhatIfRow, report: Report, names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "choice": row.choice.value,
        "datasets": [report.datasets[place].name for place in row.datasets],
        "in_plane_um": number(row.in_plane_um),
        "normal_um": number(row.normal_um),
        "panel": row.panel,
        "panel_name": names[row.panel],
        "largest_um": number(row.largest_um),
        "sigma": number(row.sigma),
        "chi_square": number(row.chi_square),
        "degrees_of_freedom": row.degrees_of_freedom,
        "p_value": number(row.p_value),
        "prediction": number(row.prediction),
        "prediction_sigma": number(row.prediction_sigma),
        "weight": number(row.weight),
        "named": row.is_named,
    }


def what_if_blocks(view: View | None) -> list[Block]:
    """A row for each choice, and which of them matter."""
    if view is None or not view["rows"]:
        return []
    table = Table(
        _TITLE,
        (
            *("choice", "in plane", "normal", "sigma", "largest", "panel", "name"),
            *("chi-square per degree", "p", "unseen data %", "+-", "weight"),
        ),
        tuple(_cells(row) for row in view["rows"]),
    )
    named = [row for row in view["rows"] if row["named"]]
    lines = [
        f"{row['choice'].capitalize()}: the panels would move by {fixed(row['in_plane_um'], 0)} um "
        f"rms, which noise does not explain (p {general(row['p_value'], 2)})."
        for row in named
    ]
    return [table, Sentences("", tuple(lines))] if lines else [table]


def _cells(row: View) -> tuple[str, ...]:
    reduced = row["chi_square"] / max(row["degrees_of_freedom"], 1)
    datasets = f" {joined(row['datasets'], _MOST_NAMES)}" if row["datasets"] else ""
    prediction, error = row["prediction"], row["prediction_sigma"]
    return (
        f"{row['choice']}{datasets}",
        fixed(row["in_plane_um"], 1),
        fixed(row["normal_um"], 1),
        fixed(row["sigma"], 2),
        fixed(row["largest_um"], 1),
        str(row["panel"]),
        row["panel_name"],
        fixed(reduced, 2) if row["degrees_of_freedom"] else NONE,
        general(row["p_value"], 2),
        NONE if prediction is None else f"{100.0 * prediction:+.3f}",
        NONE if error is None else fixed(100.0 * error, 3),
        fixed(row["weight"], 2),
    )
