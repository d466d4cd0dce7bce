"""calib split: cut one-panel experiments into the modules of the detector."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.commands.data.conversion import (
    Files,
    LayoutName,
    OutputFile,
    ReflectionsOutput,
    paths_of,
    write_result,
)
from calib_cli.help import ADVANCED
from calib_cli.options import AsJson, DryRun, FileSerial, Force, Halves, ImagesRoot, NoImages


def split(
    paths: Files,
    output: OutputFile = None,
    reflections_output: ReflectionsOutput = None,
    layout: LayoutName = None,
    serial: FileSerial = None,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    halves: Halves = False,
    no_shoeboxes: Annotated[
        bool,
        typer.Option(
            "--no-shoeboxes",
            help="Leave shoeboxes out of the reflections.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Cut one-panel experiments into detector modules.

    Panels, positions of reflections and imagesets change; everything else is copied. Reflections
    in gaps or on several modules are left out.

    \b
    Example:
      calib split single.expt single.refl
    """
    from calib.flows.layouts.split import SplitRequest
    from calib.flows.layouts.split import split as split_experiments
    from calib.flows.shared.images import ImagePlaces

    expt, refl, target = paths_of(paths, output, reflections_output, "split")
    request = SplitRequest(
        expt,
        target,
        refl,
        reflections_output,
        layout=layout,
        serial=serial,
        images=ImagePlaces(images, not no_images),
        halves=halves,
        with_shoeboxes=not no_shoeboxes,
        force=force,
    )
    done = split_experiments(request, dry_run=dry_run)
    write_result(done, paths, as_json=as_json, dry_run=dry_run)
