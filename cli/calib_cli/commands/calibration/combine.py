"""calib combine: a calibration from stored summaries."""

from __future__ import annotations

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
from calib_cli.options import AllPanels, AsJson, By, DryRun, Serial, StorePlace


def combine(
    ctx: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCES",
            help="Calibrations (SERIAL:VERSION, an id, or a version), and files of summaries.",
            show_default=False,
        ),
    ],
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="DATASET",
            help="Leave this dataset out: its name, or its summary's id. May be repeated.",
            show_default=False,
        ),
    ] = None,
    freedom: FreedomChoice = None,
    prior_shift_um: PriorShift = 100.0,
    prior_normal_um: PriorNormal = 50.0,
    prior_tilt_mrad: PriorTilt = 1.0,
    levels: Levels = "all",
    level_ratio: LevelRatio = 10.0,
    serial: Serial = None,
    panels: AllPanels = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Combine what datasets said before, or leave some of them out.

    The summaries that calibrations rest on are added up and solved with the prior; no reflection is
    read. The result is stored like that of calib derive.

    \b
    Example:
      calib combine 24-0107:3 --without night1 --dry-run
    """
    from calib.api.derivation import combine as combined

    prior = prior_of(prior_shift_um, prior_normal_um, prior_tilt_mrad, levels, level_ratio)
    with open_store(ctx, store, read_only=dry_run) as opened:
        done = combined(
            sources,
            store=opened,
            by=actor(by),
            without=without or (),
            serial=serial,
            freedom=freedom,
            prior=prior,
            dry_run=dry_run,
        )
    tell_derived(done, dry_run=dry_run, as_json=as_json, all_panels=panels)
