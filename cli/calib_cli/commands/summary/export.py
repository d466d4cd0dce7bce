"""calib summary export: write the summaries of a calibration to files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.files.writer import SummaryFormat
from calib_cli.context import open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, Force, Reference, Serial, StorePlace
from calib_cli.output import write, write_json


def export(
    ctx: typer.Context,
    reference: Reference,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Write the files to this folder.",
            show_default=False,
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    datasets: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            metavar="DATASET",
            help="Write only this dataset, given by name or by the id of its summary; repeatable.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    file_format: Annotated[
        SummaryFormat | None,
        typer.Option(
            "--format",
            metavar="|".join(SummaryFormat),
            help="Write the files in this format.",
            show_default="as they were recorded",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    serial: Serial = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write the summaries of a calibration to files, one for each dataset.

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
            file_format=file_format,
            force=force,
        )
    if as_json:
        write_json([{"dataset": name, "output": str(path)} for name, path in written])
    else:
        write("".join(f"{path}\n" for _, path in written))
