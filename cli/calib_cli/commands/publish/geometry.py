"""calib publish geometry: write the certified calibrations of a detector to one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.completion import complete_serial
from calib_cli.context import open_store
from calib_cli.help import INPUT, OUTPUT
from calib_cli.options import AsJson, Force, StorePlace
from calib_cli.output import notify, write, write_json


def geometry(
    ctx: typer.Context,
    serial: Annotated[
        str,
        typer.Argument(
            metavar="SERIAL",
            help="The detector.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_serial,
        ),
    ],
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
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write the certified calibrations of a detector, for all times and distances.

    With the plugin calib-dxtbx, dials.import multi_panel=True corrects images by the file that
    CALIB_GEOMETRY names. Write it again after each certification or withdrawal.

    \b
    Example:
      calib publish geometry 24-0107 -o geometry.json
    """
    from calib.flows.exchange.publish import publish_geometry

    with open_store(ctx, store, read_only=True) as opened:
        done = publish_geometry(opened, serial, output, force=force)
    if as_json:
        write_json(
            {
                "serial": serial,
                "output": str(done.output),
                "calibrations": list(done.calibrations),
                "log_position": done.position,
            }
        )
    else:
        write(f"{done.output}\n")
        notify(f"Set CALIB_GEOMETRY={output.absolute()} for dials.import multi_panel=True.")
