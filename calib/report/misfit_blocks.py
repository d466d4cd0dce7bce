"""Datasets and experiments that were left out, as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Block, Sentences, Table, View, fixed

_SHOWN = 20


def misfit_blocks(views: Sequence[View]) -> list[Block]:
    """What does not fit the others, line by line; nothing where everything does."""
    if not views:
        return []
    blocks: list[Block] = [
        Table(
            "Left out, since they do not fit",
            ("dataset", "experiment", "reason", "residual", "usual", "unpredictable", "of"),
            tuple(_row(view) for view in views[:_SHOWN]),
            n_text=3,
        )
    ]
    if len(views) > _SHOWN:
        more = len(views) - _SHOWN
        blocks.append(Sentences("", (f"And {more} more, which --json lists.",)))
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
