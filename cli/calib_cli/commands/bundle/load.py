"""calib bundle load: load a bundle into the store."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import actor, open_store, stamp
from calib_cli.options import AsJson, BundleFile, By, DryRun, StorePlace
from calib_cli.output import say, write_blocks, write_json


def load(
    ctx: typer.Context,
    path: BundleFile,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Let its certifications hold here, by your word."),
    ] = False,
    supersede: Annotated[
        bool,
        typer.Option("--supersede", help="With --adopt: also where that replaces what holds here."),
    ] = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record what a bundle carries; loading it twice adds nothing.

    Calibrations keep their ids and take the next numbers here. Certifications arrive as
    history, and hold here only with --adopt.

    \b
    Example:
      calib bundle load detector.calib-bundle
    """
    from calib.flows.bundle import load as loaded
    from calib.flows.set_rule import refuse_anonymous
    from calib.report.bundle import loaded_blocks, loaded_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        if adopt:
            refuse_anonymous(opened, named=actor(by).personal)
        done = loaded(opened, path, stamp(by), adopt=adopt, supersede=supersede, dry_run=dry_run)
    view = {**loaded_view(done), "stored": not dry_run}
    if dry_run:
        say("Nothing was loaded; loading it would do this:")
    if as_json:
        write_json(view)
    else:
        write_blocks(loaded_blocks(view))
