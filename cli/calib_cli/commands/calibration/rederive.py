"""calib rederive: check that the inputs of a calibration give the same result again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import log_head, open_store, stamp
from calib_cli.errors import NO
from calib_cli.help import INPUT
from calib_cli.options import AsJson, Reference, Serial, StorePlace
from calib_cli.output import write_blocks, write_json
from calib_cli.progress import derive_progress


def rederive(
    ctx: typer.Context,
    reference: Reference,
    folders: Annotated[
        list[Path] | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="Search this folder for the inputs as well; repeatable.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    serial: Serial = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Derive a calibration again and compare the results.

    Input files are found by their hashes; summaries are taken from the store. Nothing is stored.
    Exits with 0 if the result is the same (within 1e-6 sigma; with other versions or another
    processor within 0.1 sigma), else with 1.

    \b
    Example:
      calib rederive 24-0107:3
    """
    from calib.flows.rederive import rederive as again
    from calib.report.log import head_facts
    from calib.report.provenance import rederived_facts, rederived_view

    with open_store(ctx, store, read_only=True) as opened, derive_progress() as progress:
        done = again(
            opened, reference, folders or [], stamp(None), serial=serial, progress=progress
        )
        head = log_head(opened)
    view = rederived_view(
        done.stored.name,
        done.stored.id,
        reproduced=done.reproduced,
        identical=done.identical,
        largest_sigma=done.largest_sigma,
        environment=done.environment,
        environment_known=done.environment_known,
    )
    if as_json:
        write_json({**view, "log_head": head})
    else:
        write_blocks([rederived_facts(view), head_facts(head)])
    if not done.reproduced:
        raise typer.Exit(NO)
