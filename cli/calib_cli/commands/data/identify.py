"""calib identify: the detector of images and experiments, and the calibration that applies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from calib.errors import CalibError
from calib_cli.completion import complete_dials_files
from calib_cli.context import open_store
from calib_cli.errors import NO, SOME_FAILED, failure_of
from calib_cli.help import INPUT
from calib_cli.options import (
    AsJson,
    DataDistance,
    DataTime,
    FileSerial,
    ForceSerial,
    ImagesRoot,
    NoImages,
    StorePlace,
)
from calib_cli.output import notify, write_blocks, write_json


def identify(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE|EXPT ...",
            help="CBF images, HDF5 masters, templates such as th_####.cbf, experiment lists.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_dials_files,
        ),
    ],
    serial: FileSerial = None,
    force_serial: ForceSerial = False,
    at: DataTime = None,
    distance_mm: DataDistance = None,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Print the detector of images or experiments.

    Also time and distance of the data, and which calibration applies. Geometry: nominal, the
    calibration that the panels of experiments have now, or other. The exit code is 1 if no
    calibration is certified for one of the files.

    \b
    Example:
      calib identify imported.expt
    """
    from calib.flows.images.identify import Identification, IdentifyRequest
    from calib.flows.shared.images import ImagePlaces
    from calib.report.identification import identified_blocks, identified_view

    request = IdentifyRequest(
        serial, force_serial, at, distance_mm, ImagePlaces(images, not no_images)
    )
    views: list[dict[str, Any]] = []
    codes: list[int] = []
    with open_store(ctx, store, read_only=True) as opened:
        identification = Identification(request, opened, datetime.now(UTC))
        for path in paths:
            try:
                found = [identified_view(one) for one in identification.of(path)]
            except CalibError as error:
                if len(paths) == 1:
                    raise
                failure = failure_of(error, [])
                notify(failure.text)
                found = [{"file": str(path), **failure.content}]
                codes.append(failure.exit_code)
            views += found
    done = [view for view in views if "error" not in view]
    for text in dict.fromkeys(text for view in done for text in view["notices"]):
        notify(f"Note: {text}")
    if as_json:
        write_json({"files": views})
    elif done:
        write_blocks(identified_blocks(done))
    if codes:
        raise typer.Exit(SOME_FAILED if done else max(codes))
    if any(view["calibration"] is None for view in done):
        raise typer.Exit(NO)
