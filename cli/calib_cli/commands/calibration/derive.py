"""calib derive: from metrology datasets to a calibration in the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.commands.calibration.derivation import (
    Details,
    FreedomChoice,
    HoldPrior,
    LevelRatio,
    Levels,
    PriorNormal,
    PriorShift,
    PriorTilt,
    print_derived,
    prior_of,
)
from calib_cli.completion import complete_calibration, complete_dials_files
from calib_cli.context import actor, log_head, open_store
from calib_cli.help import ADVANCED, INPUT, METHOD
from calib_cli.options import (
    AllPanels,
    AsJson,
    By,
    DryRun,
    FileSerial,
    ForceSerial,
    ImagesRoot,
    NoImages,
    StorePlace,
)
from calib_cli.progress import derive_progress


class CrystalsName(StrEnum):
    """The names of ``calib.solve.options.Crystals``, which is heavier to import."""

    AUTO = "auto"
    STATIC = "static"
    VARYING = "varying"


class WhatIfName(StrEnum):
    """Which rows of the what-if table are computed."""

    BRIEF = "brief"
    FULL = "full"


class PoseName(StrEnum):
    """Whether the experiments of a file share one detector pose."""

    SHARED = "shared"
    PER_EXPERIMENT = "per-experiment"


def derive(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="EXPT REFL ...",
            help="DIALS experiment lists and reflection tables.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_dials_files,
        ),
    ],
    serial: FileSerial = None,
    force_serial: ForceSerial = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="Set the time of all the data.",
            show_default="from files and images",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    add: Annotated[
        bool,
        typer.Option(
            "--add",
            help="Add to the latest accepted calibration.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    base: Annotated[
        str | None,
        typer.Option(
            "--onto",
            metavar="CALIBRATION",
            help="Add to this calibration instead of the latest accepted one.",
            show_default=False,
            rich_help_panel=ADVANCED,
            autocompletion=complete_calibration,
        ),
    ] = None,
    relinearise: Annotated[
        bool,
        typer.Option(
            "--relinearise",
            help="Like --add, but read datasets again where their files are given.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    freedom: FreedomChoice = None,
    prior_shift_um: PriorShift = 100.0,
    prior_normal_um: PriorNormal = 50.0,
    prior_tilt_mrad: PriorTilt = 1.0,
    hold_prior: HoldPrior = False,
    levels: Levels = "all",
    level_ratio: LevelRatio = 10.0,
    ignore_flags: Annotated[
        bool,
        typer.Option(
            "--ignore-flags",
            help="Reconsider reflections flagged in the files as outliers or excluded.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    obey_flags: Annotated[
        bool,
        typer.Option(
            "--obey-flags",
            help="Leave out all reflections flagged in the files as outliers.",
            rich_help_panel=ADVANCED,
        ),
    ] = False,
    pose: Annotated[
        PoseName,
        typer.Option(
            "--pose",
            metavar="shared|per-experiment",
            help="Refine one detector pose for all experiments of a file, or one for each.",
            rich_help_panel=ADVANCED,
        ),
    ] = PoseName.SHARED,
    space_group: Annotated[
        str | None,
        typer.Option(
            "--space-group",
            metavar="NAME",
            help="Override the space group of the crystals, such as P43212.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    free_beam: Annotated[
        bool,
        typer.Option(
            "--free-beam/--hold-beam",
            help="Refine the tilt of the beam towards the spindle (prior: 1 mrad), or hold it.",
            rich_help_panel=ADVANCED,
        ),
    ] = True,
    free_strain: Annotated[
        bool,
        typer.Option(
            "--free-strain/--hold-strain",
            help="Refine strains that the symmetry of a crystal forbids, or impose the symmetry.",
            rich_help_panel=ADVANCED,
        ),
    ] = True,
    free_shift: Annotated[
        bool,
        typer.Option(
            "--free-shift/--hold-shift",
            help="Refine a smooth shift of the spots during scans, as of a drifting beam, or hold "
            "them.",
            rich_help_panel=ADVANCED,
        ),
    ] = True,
    crystals: Annotated[
        CrystalsName,
        typer.Option(
            "--crystals",
            metavar="auto|static|varying",
            help="Let orientation and cell vary smoothly along scans, or hold them (static).",
            rich_help_panel=ADVANCED,
        ),
    ] = CrystalsName.AUTO,
    crystal_interval: Annotated[
        float | None,
        typer.Option(
            "--crystal-interval",
            metavar="DEG",
            help="Set the interval of the crystals' smooth variation.",
            show_default="15, or a third of a scan",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option(
            "--keep-all",
            help="Keep datasets and crystals that do not fit.",
            rich_help_panel=METHOD,
        ),
    ] = False,
    what_if: Annotated[
        WhatIfName,
        typer.Option(
            "--what-if",
            metavar="brief|full",
            help="Compute the what-if table without the rows that take more time, or with them.",
            rich_help_panel=ADVANCED,
        ),
    ] = WhatIfName.BRIEF,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            help="Use N processes; 0: this one only.",
            show_default="auto",
            rich_help_panel=METHOD,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="Use a Dask cluster, such as tcp://host:8786, that has the files under the same "
            "names.",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    time_zone: Annotated[
        str | None,
        typer.Option(
            "--time-zone",
            metavar="ZONE",
            help="Register a new detector with this zone, such as Europe/London.",
            show_default="UTC",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    details: Details = False,
    panels: AllPanels = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Derive panel corrections from metrology data.

    Refines all datasets jointly, scans and stills at any distances, and stores the result.
    A calibration that fails acceptance is stored as a draft; the exit code is then 1.

    \b
    Example:
      calib derive night1.expt night1.refl night2.expt night2.refl --serial 24-0107
      calib derive --add indexed.expt indexed.refl
    """
    from calib.api.derivation import derive as derived

    prior = prior_of(
        prior_shift_um, prior_normal_um, prior_tilt_mrad, levels, level_ratio, held=hold_prior
    )
    with open_store(ctx, store, read_only=dry_run) as opened, derive_progress() as progress:
        done = derived(
            paths,
            store=opened,
            by=actor(by),
            serial=serial,
            force_serial=force_serial,
            at=at,
            images=images,
            read_images=not no_images,
            add=add,
            base=base,
            relinearise=relinearise,
            freedom=freedom,
            prior=prior,
            ignore_flags=ignore_flags,
            obey_flags=obey_flags,
            pose_per_experiment=pose is PoseName.PER_EXPERIMENT,
            space_group=space_group,
            free_beam=free_beam,
            free_strain=free_strain,
            free_shift=free_shift,
            crystals=crystals,
            crystal_interval_deg=crystal_interval,
            keep_all=keep_all,
            what_if=what_if.value,
            workers=workers,
            scheduler=scheduler,
            time_zone=time_zone,
            dry_run=dry_run,
            progress=progress,
        )
        head = log_head(opened)
    print_derived(
        done, head, dry_run=dry_run, as_json=as_json, details=details or panels, all_panels=panels
    )
