"""Datasets and experiments excluded because they do not fit the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.result.report import Misfit
from calib.report.blocks import NONE, Block, Sentences, Table, View, fixed
from calib.report.scalar import number

_SHOWN_ROWS = 20


def rejected_view(found: Misfit) -> dict[str, Any]:
    """One dataset or experiment: its residual scatter, and that of the others."""
    return {
        "name": found.name,
        "sha256": list(found.sha256),
        "experiment": found.experiment,
        "identifier": found.identifier,
        "reason": found.reason.value,
        "scatter_px": number(found.scatter_px),
        "usual_px": number(found.usual_px),
        "scatter_mrad": number(found.scatter_mrad),
        "usual_mrad": number(found.usual_mrad),
        "off_share": number(found.off_share),
        "n_lost": found.n_lost,
        "n_reflections": found.n_reflections,
    }


def rejected_blocks(views: Sequence[View]) -> list[Block]:
    """Excluded datasets and experiments, one per line; empty if there are none."""
    if not views:
        return []
    blocks: list[Block] = [
        Table(
            "Excluded because they do not fit the other data",
            (
                "dataset",
                "experiment",
                "reason",
                "residual",
                "typical",
                "unpredicted",
                "reflections",
            ),
            tuple(_row(view) for view in views[:_SHOWN_ROWS]),
            n_text=3,
        )
    ]
    if len(views) > _SHOWN_ROWS:
        more = len(views) - _SHOWN_ROWS
        blocks.append(Sentences("", (f"{more} more: see --json.",)))
    return blocks


def _row(view: View) -> tuple[str, ...]:
    identifier, number = view["identifier"], view["experiment"]
    which = "all" if number is None else str(number)
    residual, usual = NONE, NONE
    if view["off_share"] is not None:
        residual = f"{view['off_share']:.0%} of |r|"
    for unit in ("px", "mrad"):
        if view[f"scatter_{unit}"] is not None:
            residual = f"{fixed(view[f'scatter_{unit}'], 2)} {unit}"
        if view[f"usual_{unit}"] is not None:
            usual = f"{fixed(view[f'usual_{unit}'], 2)} {unit}"
    return (
        view["name"],
        f"{which} ({identifier[:8]})" if identifier else which,
        view["reason"],
        residual,
        usual,
        str(view["n_lost"]),
        str(view["n_reflections"]),
    )
