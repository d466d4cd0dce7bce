"""calib derive: from metrology datasets to a calibration in the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.commands.calibration.derivation import (
    FreedomChoice,
    LevelRatio,
    Levels,
    PriorNormal,
    PriorShift,
    PriorTilt,
    prior_of,
    tell_derived,
)
from calib_cli.context import actor, open_store
from calib_cli.options import (
    AllPanels,
    AsJson,
    By,
    DryRun,
    FileSerial,
    ForceSerial,
    StorePlace,
)
from calib_cli.progress import derive_progress


class CrystalsName(StrEnum):
    """The names of ``calib.solve.options.Crystals``, which is heavier to import."""

    AUTO = "auto"
    STATIC = "static"
    VARYING = "varying"


class PoseName(StrEnum):
    """How many poses the experiments of one file have."""

    SHARED = "shared"
    PER_EXPERIMENT = "per-experiment"


def derive(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES",
            help="Experiment lists (.expt) and reflection tables (.refl), in any order.",
            show_default=False,
        ),
    ],
    serial: FileSerial = None,
    force_serial: ForceSerial = False,
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Add to what the detector's latest accepted calibration rests on, from stored "
            "summaries.",
        ),
    ] = False,
    onto: Annotated[
        str | None,
        typer.Option(
            "--onto",
            metavar="CALIBRATION",
            help="Add to this calibration instead.",
            show_default=False,
        ),
    ] = None,
    relinearise: Annotated[
        bool,
        typer.Option(
            "--relinearise",
            help="Add; datasets that are there already are read again in place of their summaries.",
        ),
    ] = False,
    freedom: FreedomChoice = None,
    prior_shift_um: PriorShift = 100.0,
    prior_normal_um: PriorNormal = 50.0,
    prior_tilt_mrad: PriorTilt = 1.0,
    levels: Levels = "all",
    level_ratio: LevelRatio = 10.0,
    ignore_flags: Annotated[
        bool,
        typer.Option(
            "--ignore-flags",
            help="Reconsider reflections that the files flag as outliers or excluded.",
        ),
    ] = False,
    pose: Annotated[
        PoseName,
        typer.Option("--pose", help="One pose for the experiments of a file, or one for each."),
    ] = PoseName.SHARED,
    space_group: Annotated[
        str | None,
        typer.Option(
            "--space-group", metavar="NAME", help="Overrule the crystals' symmetry, as in P43212."
        ),
    ] = None,
    free_beam: Annotated[
        bool, typer.Option("--free-beam", help="Refine the beam's tilt towards the spindle, too.")
    ] = False,
    crystals: Annotated[
        CrystalsName,
        typer.Option(
            "--crystals",
            help="Whether orientation and cell may change smoothly along a scan. auto: in scans "
            "over 90 degrees, where held-out reflections are the better for it.",
        ),
    ] = CrystalsName.AUTO,
    crystal_interval: Annotated[
        float | None,
        typer.Option(
            "--crystal-interval",
            metavar="DEG",
            help="Length of the intervals of that change. Default: chosen from the data.",
        ),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="Keep what does not fit the others."),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            help="Let so many processes read and hold the datasets; 0: none but this one. Default: "
            "one for each core where the files are many and large.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Let an existing Dask cluster do it, as in tcp://host:8786; it must see the files "
            "under the same names.",
        ),
    ] = None,
    panels: AllPanels = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Derive panel corrections from metrology data.

    Datasets of any number of crystals and distances, scans and stills, are refined jointly, and
    the result is stored. A derivation that fails acceptance is stored as a draft, and the exit
    code is 1. With --add, what earlier datasets said is taken from the store; their files are not
    read.

    \b
    Example:
      calib derive night1.expt night1.refl night2.expt night2.refl --serial 24-0107
      calib derive --add indexed.expt indexed.refl
    """
    from calib.api.derivation import derive as derived

    prior = prior_of(prior_shift_um, prior_normal_um, prior_tilt_mrad, levels, level_ratio)
    with open_store(ctx, store, read_only=dry_run) as opened, derive_progress() as progress:
        done = derived(
            paths,
            store=opened,
            by=actor(by),
            serial=serial,
            force_serial=force_serial,
            add=add,
            base=onto,
            relinearise=relinearise,
            freedom=freedom,
            prior=prior,
            ignore_flags=ignore_flags,
            pose_per_experiment=pose is PoseName.PER_EXPERIMENT,
            space_group=space_group,
            free_beam=free_beam,
            crystals=crystals,
            crystal_interval_deg=crystal_interval,
            keep_all=keep_all,
            workers=workers,
            scheduler=scheduler,
            dry_run=dry_run,
            progress=progress,
        )
    tell_derived(done, dry_run=dry_run, as_json=as_json, all_panels=panels)
