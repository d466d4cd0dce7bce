"""calib usage push: record applications from receipts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import write, write_json


def push(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECEIPTS",
            help="Receipts (OUT.calib.json), or folders with receipts anywhere below.",
            show_default=False,
        ),
    ],
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Deliver receipts to the store, each once.

    They are the record where the user of calib apply could not write the store.

    \b
    Example:
      calib usage push calibrated.expt.calib.json
    """
    from calib.flows.receipts import push as pushed

    with open_store(ctx, store, read_only=dry_run) as opened:
        done = pushed(paths, opened, stamp(by), dry_run=dry_run)
    if as_json:
        write_json(
            {
                "recorded": done.recorded,
                "already": done.already,
                "files": [str(path) for path in done.files],
                "stored": not dry_run,
            }
        )
        return
    said = "Would record" if dry_run else "Recorded"
    write(
        f"{said} {done.recorded} applications from {len(done.files)} receipts; "
        f"{done.already} were recorded already.\n"
    )
