"""calib audit clock: correct the time of the log after entries with a wrong clock."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import write_blocks, write_json


def clock(
    ctx: typer.Context,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Record why, such as which machine had a wrong clock.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    clock_checked: Annotated[
        bool,
        typer.Option(
            "--clock-checked",
            help="Confirm that the clock of this machine is right, after you compared it.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    by: By = None,
    dry_run: DryRun = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Correct the clock of the log, where the last entries have times in the future.

    Adds an entry that states that their order is right and their times are wrong; later entries
    have the time of the clock again. Nothing is changed. Compare the clock of this machine with
    another one, and confirm it with --clock-checked.

    \b
    Example:
      calib audit clock --reason "clock of the beamline PC" --clock-checked
    """
    from calib.report.log import clock_blocks, clock_view

    change = replace(stamp(by), reason=reason)
    with open_store(
        ctx, store, read_only=dry_run, create=False, clock_checked=clock_checked
    ) as opened:
        done = opened.log.preview_clock(change) if dry_run else opened.log.correct_clock(change)
    view = clock_view(done, change.reason)
    if as_json:
        write_json(view)
    else:
        write_blocks(clock_blocks(view))
