"""calib audit checkpoint: sign the current heads of the log."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, Force, SigningKeyFile, StorePlace
from calib_cli.output import notify, write, write_json


def checkpoint(
    ctx: typer.Context,
    output: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Write the checkpoint to this file.",
            show_default=False,
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    key: SigningKeyFile = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Sign the current state of the log.

    Keep the file apart from the store; calib audit verify --checkpoint compares the log with it.

    \b
    Example:
      calib audit checkpoint today.checkpoint
    """
    from calib.flows.audit import make_checkpoint
    from calib.report.log import checkpoint_view

    with open_store(ctx, store, read_only=True) as opened:
        made = make_checkpoint(opened, key, output, datetime.now(UTC), force=force)
    view = checkpoint_view(made)
    if as_json:
        write_json({**view, "output": str(output)})
    else:
        write(f"{output}\n")
        notify(f"Signed {view['n_chains']} chains up to position {view['last_position']}.")
