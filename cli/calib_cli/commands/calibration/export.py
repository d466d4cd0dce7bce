"""calib export: write a calibrated detector for another program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib.files.exchange.table_sign import TableSign
from calib.files.writer import EXPORTS, ExportFormat
from calib_cli.completion import complete_experiments
from calib_cli.context import open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import (
    AsJson,
    Force,
    ForceSerial,
    ImagesRoot,
    NoImages,
    Reference,
    Serial,
    StorePlace,
)
from calib_cli.output import notify, write, write_json


def export(
    ctx: typer.Context,
    reference: Reference,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file.",
            show_default=False,
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    form: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            metavar="|".join(ExportFormat),
            help=" ".join(f"{form}: {entry.description}." for form, entry in EXPORTS.items()),
            rich_help_panel=OUTPUT,
        ),
    ] = ExportFormat.DIALS,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="EXPT",
            help="Take the pose of the detector, and all but its panels' places, from this list.",
            rich_help_panel=INPUT,
            autocompletion=complete_experiments,
        ),
    ] = None,
    distance_mm: Annotated[
        float | None,
        typer.Option(
            "--distance-mm",
            "--distance",
            metavar="MM",
            help="Place the detector perpendicular to the beam at this distance.",
            show_default="the shortest of its datasets",
            rich_help_panel=INPUT,
        ),
    ] = None,
    sign: Annotated[
        TableSign,
        typer.Option(
            "--sign",
            metavar="|".join(TableSign),
            help="Write tables that are added to raw positions (plus: XDS) or subtracted.",
            rich_help_panel=OUTPUT,
        ),
    ] = TableSign.PLUS,
    serial: Serial = None,
    force_serial: ForceSerial = False,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a calibrated detector for another program.

    DIALS takes the whole detector from a reference geometry, including distance and beam centre;
    so it needs --like. calib apply changes the panels only.

    \b
    Example:
      calib export 24-0107:3 --format dials --like imported.expt -o reference.expt
    """
    from calib.errors import InputError
    from calib.flows.exchange.export import export_geometry
    from calib.flows.shared.images import ImagePlaces

    if like is not None and distance_mm is not None:
        raise InputError(
            "bad-use",
            "--like and --distance-mm both set the distance.",
            remedy="give only one of the two.",
        )
    with open_store(ctx, store, read_only=True) as opened:
        done = export_geometry(
            opened,
            reference,
            form=form,
            serial=serial,
            like=like,
            distance_mm=distance_mm,
            output=output,
            places=ImagePlaces(images, not no_images),
            force_serial=force_serial,
            sign=sign,
            force=force,
        )
        found = opened.calibrations.get(reference, serial)
    if as_json:
        write_json(
            {
                "calibration": found.name,
                "calibration_id": found.id,
                "format": form.value,
                "output": str(output),
                "outputs": [str(path) for path in done.outputs],
            }
        )
    else:
        write("".join(f"{path}\n" for path in done.outputs))
        notify(done.hint)
