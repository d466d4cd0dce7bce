"""calib export: a calibrated detector in another program's form."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AsJson, Force, Reference, Serial, StorePlace
from calib_cli.output import say, write, write_json


class Form(StrEnum):
    """What can be written."""

    DIALS = "dials"


def export(
    ctx: typer.Context,
    reference: Reference,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write.")],
    form: Annotated[
        Form, typer.Option("--format", help="dials: a reference geometry for dials.import.")
    ] = Form.DIALS,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="EXPT", help="The detector stands as in this experiment list."
        ),
    ] = None,
    distance_mm: Annotated[
        float | None,
        typer.Option(
            "--distance-mm",
            metavar="MM",
            help="It faces the beam at this distance. Default: the shortest of the datasets.",
        ),
    ] = None,
    serial: Serial = None,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a calibrated detector for another program.

    DIALS takes the whole detector from a reference geometry, its distance and beam centre too;
    calib apply changes nothing but the panels.

    \b
    Example:
      calib export 24-0107:3 --format dials --distance-mm 265 -o reference.expt
    """
    from calib.errors import InputError
    from calib.flows.export import export_dials

    if like is not None and distance_mm is not None:
        raise InputError(
            "bad-use",
            "--like gives a distance, and --distance-mm another.",
            remedy="one of the two.",
        )
    with open_store(ctx, store, read_only=True) as opened:
        written = export_dials(
            opened,
            reference,
            serial=serial,
            like=like,
            distance_mm=distance_mm,
            output=output,
            force=force,
        )
        found = opened.calibrations.get(reference, serial)
    if as_json:
        write_json(
            {
                "calibration": found.name,
                "calibration_id": found.id,
                "format": form.value,
                "output": str(written),
            }
        )
    else:
        write(f"{written}\n")
        say(
            f"Use it with dials.import reference_geometry={written} "
            "use_beam_reference=False use_gonio_reference=False"
        )
