"""calib usage push: record applications from receipts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import log_head, notify_head, open_store, stamp
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import write, write_json


def push(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECEIPT ...",
            help="Receipts (OUT.calib.json), or folders to search for them.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record applications in the store from their receipts.

    calib apply leaves receipts where its user cannot write the store. Each is recorded once.

    \b
    Example:
      calib usage push calibrated.expt.calib.json
    """
    from calib.flows.receipts import push as pushed

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        done = pushed(paths, opened, stamp(by), dry_run=dry_run)
        head = log_head(opened)
    if as_json:
        write_json(
            {
                "recorded": done.recorded,
                "already": done.already,
                "files": [str(path) for path in done.files],
                "stored": not dry_run,
                "log_head": head,
            }
        )
        return
    verb = "Would record" if dry_run else "Recorded"
    write(
        f"{verb} {done.recorded} applications from {len(done.files)} receipts; "
        f"{done.already} were already recorded.\n"
    )
    notify_head(head)
