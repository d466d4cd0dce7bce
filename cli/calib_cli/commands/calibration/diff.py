"""calib diff: test whether a detector changed between two of its calibrations."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.completion import complete_calibration
from calib_cli.context import log_head, open_store
from calib_cli.errors import NO
from calib_cli.help import INPUT
from calib_cli.options import AllPanels, AsJson, Reference, RepeatUm, Serial, StorePlace
from calib_cli.output import write_blocks, write_json


def diff(
    ctx: typer.Context,
    first: Reference,
    second: Annotated[
        str,
        typer.Argument(
            metavar="CALIBRATION",
            help="The calibration to compare with the first.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_calibration,
        ),
    ],
    repeat_um: RepeatUm = None,
    serial: Serial = None,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Test whether a detector has changed.

    Rigid motions of the whole detector are ignored. Exits with 1 if the difference is larger than
    the uncertainties explain.

    \b
    Example:
      calib diff 24-0107:1 24-0107:2
    """
    from calib.flows.diff import diff as differing
    from calib.model.result.drift import Verdict
    from calib.report.difference import difference_blocks, difference_view
    from calib.report.log import head_facts
    from calib.report.panel_map import drift_map

    with open_store(ctx, store, read_only=True) as opened:
        done = differing(opened, first, second, serial=serial, repeat_um=repeat_um)
        head = log_head(opened)
    view = difference_view(done.first, done.second, done.drift)
    if as_json:
        write_json({**view, "log_head": head})
    else:
        blocks = [*difference_blocks(view, all_panels=panels), head_facts(head)]
        drawn = drift_map(done.layout, done.drift)
        write_blocks(blocks if drawn is None else [blocks[0], drawn, *blocks[1:]])
    if done.drift.verdict is not Verdict.SAME:
        raise typer.Exit(NO)
