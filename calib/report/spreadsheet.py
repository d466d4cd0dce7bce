"""Tables as CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from calib.model.detector.correction import PARAMETER_KEYS
from calib.report.blocks import NONE, Table, View

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_text(table: Table) -> str:
    """A table as CSV (RFC 4180): a row of headings, empty cells where there is no value.

    Text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([_cell(text, is_text=k < table.n_text) for k, text in enumerate(row)])
    return out.getvalue()


def _cell(text: str, *, is_text: bool) -> str:
    if text == NONE:
        return ""
    return f"'{text}" if is_text and text.startswith(_FORMULA) else text


def panel_data(panels: Sequence[View]) -> Table:
    """All values of panels in full precision: ``dx_mm`` ..., ``sigma_dx_mm`` ..., counts."""
    columns = ("panel", "name", "status", "n_reflections", "n_rejected", "n_held_out")
    sigmas = tuple(f"sigma_{key}" for key in PARAMETER_KEYS)
    return Table(
        "",
        (*columns, *PARAMETER_KEYS, *sigmas),
        tuple(
            (
                *(value_cell(panel[column]) for column in columns),
                *(value_cell(panel[key]) for key in PARAMETER_KEYS),
                *(value_cell(panel["sigma"][key]) for key in PARAMETER_KEYS),
            )
            for panel in panels
        ),
        n_text=3,
    )


def value_cell(value: object) -> str:
    """A value in full precision; yes or no for a truth value."""
    if value is None:
        return NONE
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
