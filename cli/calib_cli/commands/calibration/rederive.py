"""calib rederive: whether a calibration comes out again from the same inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.errors import NO
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
            help="Look for the inputs below this folder as well; may be given again.",
        ),
    ] = None,
    serial: Serial = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Derive a calibration again and compare the results.

    Inputs are found by their hashes, where they lay or below --from; what was combined is combined
    again from the summaries in the store. Nothing is stored. Exits with 0 where the result is the
    same: bit for bit, or on another machine within a tenth of a sigma; else with 1.

    \b
    Example:
      calib rederive 24-0107:3
    """
    from calib.flows.rederive import rederive as again
    from calib.report.provenance import rederived_facts, rederived_view

    with open_store(ctx, store, read_only=True) as opened, derive_progress() as progress:
        done = again(
            opened, reference, folders or [], stamp(None), serial=serial, progress=progress
        )
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
        write_json(view)
    else:
        write_blocks([rederived_facts(view)])
    if not done.reproduced:
        raise typer.Exit(NO)
