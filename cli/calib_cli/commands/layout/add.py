"""calib layout add: make layouts known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, Force, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def add(
    ctx: typer.Context,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Description of a family of detectors, in TOML.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    shared: Annotated[
        bool,
        typer.Option(
            "--shared",
            help="Record them in the store, for all of its users.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="Record why (with --shared).", rich_help_panel=INPUT
        ),
    ] = "",
    force: Force = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make the detectors in a file known.

    Copies it to the settings folder, or records it in the store with --shared.
    docs/reference/layouts.md describes the file.

    \b
    Example:
      calib layout add lambda.toml
    """
    from calib.flows.layouts.add import add_layouts, share_layouts
    from calib.report.layouts import layout_table, layout_view

    if shared:
        with open_store(ctx, store, read_only=dry_run) as opened:
            recorded = share_layouts(
                opened, source, reason=reason, stamp=stamp(by), force=force, dry_run=dry_run
            )
            place = opened.address
        views = [layout_view(detector) for detector in recorded.detectors]
        if as_json:
            write_json({"layouts": views, "file": place, "written": recorded.new and not dry_run})
            return
        write_blocks([layout_table(views)])
        known = "The store has these layouts already" if not recorded.new else ""
        notify(f"{known or ('Would record' if dry_run else 'Recorded')}: {place}.")
        return
    done = add_layouts(source, force=force, dry_run=dry_run)
    views = [layout_view(detector) for detector in done.detectors]
    if as_json:
        write_json({"layouts": views, "file": str(done.path), "written": not dry_run})
    else:
        write_blocks([layout_table(views)])
        notify(f"{'Would write' if dry_run else 'Wrote'} {done.path}.")
