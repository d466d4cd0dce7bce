"""calib audit keys: show the keys that have signed checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.errors import NO
from calib_cli.help import INPUT
from calib_cli.options import AsJson
from calib_cli.output import write_blocks, write_json


def keys(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Show this history of keys, or public key.",
            show_default="the history of your key",
            rich_help_panel=INPUT,
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            help="Check that this key, which you trust, has endorsed the current one.",
            rich_help_panel=INPUT,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the keys that sign and have signed checkpoints.

    Exits with 1 if no endorsements lead from the trusted key to the current one.

    \b
    Example:
      calib audit keys
    """
    from calib.flows.audit import read_keys
    from calib.report.keys import keys_blocks, keys_view

    path, found, endorsed = read_keys(file, public_key)
    view = keys_view(path, found.keys, endorsed)
    if as_json:
        write_json(view)
    else:
        write_blocks(keys_blocks(view))
    if endorsed is False:
        raise typer.Exit(NO)
