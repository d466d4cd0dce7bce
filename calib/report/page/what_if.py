"""The section of a report about other choices of the derivation."""

from __future__ import annotations

import numpy as np

from calib.model.base.text import joined
from calib.report.blocks import Figure, Sentences, Table, View, fixed, general
from calib.report.calibration.what_if import parts_words, what_if_blocks
from calib.report.page.section import Section

_MOST_NAMES = 3


def what_if_section(view: View) -> Section:
    """Figure 14: the what-if table, beside the noise."""
    title = "What if: the panels under other choices"
    found = view["what_if"]
    if found is None or not found["rows"]:
        words = (
            "The record has no what-if table: it is imported, of an earlier version of calib, or "
            "no other choice could be computed."
        )
        return Section("what-if", title, (Sentences("", (words,)),))
    rows = [_row(row) for row in found["rows"]]
    one_axis = view["sigma_um"]["noise"]
    noise = None if one_axis is None else float(np.sqrt(2.0) * one_axis)  # of dx and dy together
    named = [row["label"] for row in rows if row["named"]]
    farthest = max(rows, key=lambda row: (row["in_plane_um"], row["label"]))
    caption = (
        "How far the panels would move if the model, the prior or the data were chosen otherwise, "
        f"in um rms; the line is the noise of x and y together, {fixed(noise, 1)} um. "
        "Farthest in the plane: "
        f"{farthest['label']}, {fixed(farthest['in_plane_um'], 1)} um. "
        + (
            f"Noise does not explain it for {joined(named)}."
            if named
            else "No choice of another model moves them significantly by more than 5 um."
        )
        + f" The uncertainty consists of {parts_words(view['sigma_um'])}."
    )
    figure = Figure("what_if", title, caption, {"rows": rows, "noise_um": noise})
    (table, *_) = what_if_blocks(found)
    data = Table(
        title,
        ("choice", "in plane um", "normal um", "p"),
        tuple(
            (
                row["label"],
                *(
                    "" if row[key] is None else general(row[key], 6)
                    for key in ("in_plane_um", "normal_um", "p_value")
                ),
            )
            for row in rows
        ),
    )
    return Section("what-if", title, (figure, table), data)


def _row(row: View) -> View:
    label = row["choice"]
    if row["datasets"]:
        label += f" {joined(row['datasets'], _MOST_NAMES)}"
    normal = row["normal_um"]
    along = "" if normal is None else f"{fixed(normal, 1)} um along the normal, "
    return {
        **{key: row[key] for key in ("in_plane_um", "normal_um", "named", "p_value")},
        "label": label,
        "words": f"{label}: {fixed(row['in_plane_um'], 1)} um in the plane, {along}at most "
        f"{fixed(row['largest_um'], 1)} um on panel {row['panel']} ({row['panel_name']})",
    }
