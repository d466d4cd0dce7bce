"""calib explain: which calibration a file carries, and whether it still holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import write, write_json


def explain(
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An experiment list or an MTZ file.",
            show_default=False,
            readable=False,
            rich_help_panel=INPUT,
        ),
    ],
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Print which calibration a file carries.

    Says also whether its data should be processed again. The calibration is read from the history
    of the file, or else from the receipt beside it.

    \b
    Example:
      calib explain calibrated.expt
    """
    from calib.flows.exchange.explain import explain as explained
    from calib.report.calibration.explained import explained_text, explained_view

    with open_store(ctx, store, read_only=True) as opened:
        found = explained(opened, file)
    if as_json:
        write_json([explained_view(one) for one in found])
    else:
        write("".join(f"{explained_text(one)}\n" for one in found))
