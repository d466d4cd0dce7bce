"""calib audit anchor: append a checkpoint to places that the writer cannot change."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, SigningKeyFile, StorePlace
from calib_cli.output import notify, write, write_json


def anchor(
    ctx: typer.Context,
    places: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER...",
            help="Append the checkpoint to these folders or git repositories.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    key: SigningKeyFile = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Append a signed checkpoint to places that the writer of the store cannot change.

    Each checkpoint is a new file. In a git repository it is committed, and pushed where the branch
    has an upstream. Refused if the log no longer contains the newest checkpoint of a place.

    \b
    Example:
      calib audit anchor anchors
    """
    from calib.flows.audit import anchor as anchored
    from calib.report.log import anchor_view

    with open_store(ctx, store, read_only=True) as opened:
        made, done = anchored(opened, key, places, datetime.now(UTC))
    view = anchor_view(made, done)
    if as_json:
        write_json(view)
        return
    for one in done:
        write(f"{one.path}\n")
        if one.commit is not None:
            where = "not pushed: the branch has no upstream"
            if one.pushed_to is not None:
                where = f"pushed to {one.pushed_to}"
            notify(f"Committed as {one.commit[:12]}, {where}.")
    notify(f"Signed {view['n_chains']} chains up to position {view['last_position']}.")
