"""calib usage push, list: which files got which calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, stamp
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import say, write, write_blocks, write_json

app = typer.Typer(
    help="Which files got which calibration.\n\n\b\nExample:\n  calib usage list --serial 24-0107"
)


@app.command("push")
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


@app.command("list")
def list_applications(
    ctx: typer.Context,
    serial: Annotated[
        str | None,
        typer.Option("--serial", metavar="SERIAL", help="Those of this detector only."),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration", metavar="CALIBRATION", help="Those of this calibration only."
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """List what was applied, when and by whom.

    \b
    Example:
      calib usage list --serial 24-0107
    """
    from calib.report.applications import application_table, application_view

    with open_store(ctx, store, read_only=True) as opened:
        named = None if calibration is None else opened.calibration(calibration, serial).id
        if serial is not None:
            opened.detector(serial)
        found = opened.applications(serial, named)
    views = [application_view(one) for one in found]
    if as_json:
        write_json(views)
    elif views:
        write_blocks([application_table(views)])
    else:
        say("Nothing was applied yet.")
