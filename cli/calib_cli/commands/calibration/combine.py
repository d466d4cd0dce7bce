"""calib combine: a calibration from stored summaries."""

from __future__ import annotations

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
from calib_cli.completion import complete_summary_source
from calib_cli.context import actor, log_head, open_store
from calib_cli.help import INPUT
from calib_cli.options import AllPanels, AsJson, By, DryRun, Serial, StorePlace


def combine(
    ctx: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE ...",
            help="Calibrations (SERIAL:VERSION, an id, or a version with --serial) and files of "
            "summaries.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_summary_source,
        ),
    ],
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="DATASET",
            help="Omit this dataset, given by name or by the id of its summary; repeatable.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    freedom: FreedomChoice = None,
    prior_shift_um: PriorShift = 100.0,
    prior_normal_um: PriorNormal = 50.0,
    prior_tilt_mrad: PriorTilt = 1.0,
    hold_prior: HoldPrior = False,
    levels: Levels = "all",
    level_ratio: LevelRatio = 10.0,
    serial: Serial = None,
    details: Details = False,
    panels: AllPanels = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Combine summaries of datasets into a calibration.

    Sums the stored normal equations of datasets and solves them with the prior; no reflection is
    read. The result is stored like that of calib derive.

    \b
    Example:
      calib combine 24-0107:3 --without night1 --dry-run
    """
    from calib.api.derivation import combine as combined

    prior = prior_of(
        prior_shift_um, prior_normal_um, prior_tilt_mrad, levels, level_ratio, held=hold_prior
    )
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
        head = log_head(opened)
    print_derived(
        done, head, dry_run=dry_run, as_json=as_json, details=details or panels, all_panels=panels
    )
