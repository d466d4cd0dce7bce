"""calib summary export, show: what single datasets said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, Force, Reference, Serial, StorePlace
from calib_cli.output import write, write_blocks, write_json

app = typer.Typer(
    help="Summaries of datasets: export, show.\n\n\b\nExample:\n  calib summary show 24-0107:3"
)


@app.command("export")
def export(
    ctx: typer.Context,
    reference: Reference,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where to write the files.")
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="DATASET",
            help="This one only: its name, or its summary's id. May be repeated.",
            show_default=False,
        ),
    ] = None,
    serial: Serial = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write the summaries of a calibration to files.

    Each dataset that it rests on gets a file.

    \b
    Example:
      calib summary export 24-0107:3 -o .
    """
    from calib.flows.summary import export_summaries

    with open_store(ctx, store, read_only=True) as opened:
        written = export_summaries(
            opened,
            reference,
            output,
            serial=serial,
            datasets=tuple(datasets or ()),
            force=force,
        )
    if as_json:
        write_json([{"dataset": name, "output": str(path)} for name, path in written])
    else:
        write("".join(f"{path}\n" for _, path in written))


@app.command("show")
def show(
    ctx: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A calibration (SERIAL:VERSION, an id, or a version), or a file of a summary.",
            show_default=False,
        ),
    ],
    serial: Serial = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show the summaries of a calibration.

    Or the one in a file.

    \b
    Example:
      calib summary show 24-0107:3
    """
    from calib.files.native.summary import SUFFIX
    from calib.flows.summary import shown_summaries
    from calib.report.summaries import summary_table, summary_view

    if source.endswith((SUFFIX, ".h5")) or Path(source).is_file():
        found = shown_summaries(None, source)
    else:
        with open_store(ctx, store, read_only=True) as opened:
            found = shown_summaries(opened, source, serial=serial)
    views = [summary_view(summary, size) for summary, size in found]
    if as_json:
        write_json(views)
    else:
        write_blocks([summary_table(views)])
