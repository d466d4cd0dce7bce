"""calib layout add: make layouts known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.help import INPUT
from calib_cli.options import AsJson, DryRun, Force
from calib_cli.output import notify, write_blocks, write_json


def add(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Description of a family of detectors, in TOML.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    force: Force = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make the detectors in a file known, by copying it to the settings folder.

    docs/reference/layouts.md describes the file.

    \b
    Example:
      calib layout add lambda.toml
    """
    from calib.flows.layouts.add import add_layouts
    from calib.report.layouts import layout_table, layout_view

    done = add_layouts(source, force=force, dry_run=dry_run)
    views = [layout_view(detector) for detector in done.detectors]
    if as_json:
        write_json({"layouts": views, "file": str(done.path), "written": not dry_run})
    else:
        write_blocks([layout_table(views)])
        notify(f"{'Would write' if dry_run else 'Wrote'} {done.path}.")
