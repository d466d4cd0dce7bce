"""calib bundle load: load a bundle into the store."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import actor, open_store, stamp
from calib_cli.help import VALIDITY
from calib_cli.options import AsJson, BundleFile, By, DryRun, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def load(
    ctx: typer.Context,
    path: BundleFile,
    adopt: Annotated[
        bool,
        typer.Option(
            "--adopt",
            help="Certify here, in your name, what the bundle certifies.",
            rich_help_panel=VALIDITY,
        ),
    ] = False,
    supersede: Annotated[
        bool,
        typer.Option(
            "--supersede",
            help="With --adopt: replace overlapping certifications.",
            rich_help_panel=VALIDITY,
        ),
    ] = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Load a bundle into the store; loading it again adds nothing.

    Calibrations keep their ids and get the next free versions. Certifications become part of the
    history, and take effect here only with --adopt.

    \b
    Example:
      calib bundle load detector.calib-bundle
    """
    from calib.flows.bundle import load as loaded
    from calib.flows.rules import refuse_anonymous
    from calib.report.bundle import loaded_blocks, loaded_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        if adopt:
            refuse_anonymous(opened, named=actor(by).personal)
        done = loaded(opened, path, stamp(by), adopt=adopt, supersede=supersede, dry_run=dry_run)
    view = {**loaded_view(done), "stored": not dry_run}
    if dry_run:
        notify("Dry run: nothing was loaded. Loading would do this:")
    if as_json:
        write_json(view)
    else:
        write_blocks(loaded_blocks(view))
