"""calib derive: from metrology datasets to a calibration in the store."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calib_cli.failure import NO
from calib_cli.options import (
    AllPanels,
    AsJson,
    By,
    DryRun,
    FileSerial,
    ForceSerial,
    StorePlace,
)
from calib_cli.output import say, write_blocks, write_json
from calib_cli.progress import derive_progress
from calib_cli.setting import deed, open_store

if TYPE_CHECKING:
    from calib.model.record import StoredCalibration


_SMALLEST_PRIOR, _LARGEST_PRIOR = 1e-3, 1e6
"""In micrometres or milliradian; beyond these arithmetic fails before physics does."""


class FreedomName(StrEnum):
    """The names of ``calib.model.correction.Freedom``, which is heavier to import."""

    IN_PLANE = "in-plane"
    FULL = "full"


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
    freedom: Annotated[
        FreedomName | None,
        typer.Option(
            "--freedom",
            help="Which parameters of a panel are refined. Default: full where the distances "
            "differ by a factor of 1.5 or more, else in-plane.",
        ),
    ] = None,
    prior_shift_um: Annotated[
        float,
        typer.Option("--prior-shift-um", metavar="UM", help="Assembly tolerance in the plane."),
    ] = 100.0,
    prior_normal_um: Annotated[
        float,
        typer.Option("--prior-normal-um", metavar="UM", help="The same along the normal."),
    ] = 50.0,
    prior_tilt_mrad: Annotated[
        float, typer.Option("--prior-tilt-mrad", metavar="MRAD", help="The same in angle.")
    ] = 1.5,
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

    Datasets of any number of crystals and distances are refined jointly, and the result is
    stored. A derivation that fails acceptance is stored as a draft, and the exit code is 1.

    \b
    Example:
      calib derive night1.expt night1.refl night2.expt night2.refl --serial 24-0107
    """
    from calib.flows.derive import DeriveRequest
    from calib.flows.derive import derive as derived
    from calib.model.correction import Freedom
    from calib.report.calibration_blocks import derived_blocks
    from calib.report.calibration_view import derived_view
    from calib.solve.options import Crystals
    from calib.solve.panels import PanelPrior

    request = DeriveRequest(
        paths=tuple(paths),
        serial=serial,
        force_serial=force_serial,
        freedom=None if freedom is None else Freedom(freedom.value),
        prior=PanelPrior(
            _positive("--prior-shift-um", prior_shift_um) * 1e-3,
            _positive("--prior-normal-um", prior_normal_um) * 1e-3,
            _positive("--prior-tilt-mrad", prior_tilt_mrad) * 1e-3,
        ),
        ignore_flags=ignore_flags,
        pose_per_experiment=pose is PoseName.PER_EXPERIMENT,
        space_group=space_group,
        free_beam=free_beam,
        crystals=Crystals(crystals.value),
        crystal_interval_deg=crystal_interval,
        workers=workers,
        scheduler=scheduler,
    )
    with open_store(ctx, store, read_only=dry_run) as opened, derive_progress() as progress:
        done = derived(request, opened, deed(by), dry_run=dry_run, progress=progress)
    view = derived_view(
        done.record,
        done.stored,
        new=done.new,
        detector_registered=done.registered is not None,
        freedom_reason=done.freedom_reason,
        notices=done.notices,
        seconds=done.seconds,
    )
    if done.registered is not None:
        said = "Would register" if dry_run else "Registered"
        say(
            f"{said} detector {done.record.serial}, not seen before; times without offset are "
            f"read in {done.registered.time_zone}."
        )
    for notice in done.notices:
        say(f"Note: {notice}")
    if as_json:
        write_json(view)
    else:
        write_blocks(derived_blocks(view, all_panels=panels))
        if done.stored is not None:
            _say_what_next(done.stored, new=done.new)
    if not done.record.acceptance.accepted:
        raise typer.Exit(NO)


def _positive(option: str, value: float) -> float:
    from calib.errors import InputError

    if _SMALLEST_PRIOR <= value <= _LARGEST_PRIOR:
        return value
    if 0.0 < value < float("inf"):
        raise InputError(
            "bad-prior",
            f"{option} {value:g} is no tolerance of a detector.",
            remedy=f"a number from {_SMALLEST_PRIOR:g} to {_LARGEST_PRIOR:g}.",
        )
    raise InputError(
        "bad-prior", f"{option} {value:g} is no tolerance.", remedy="a number above 0."
    )


def _say_what_next(stored: StoredCalibration, *, new: bool) -> None:
    from calib.report.scalar import instant

    if not new:
        say(f"The same derivation was stored before, as {stored.name}.")
    if not stored.record.acceptance.accepted:
        say(f'It can only be certified with calib certify {stored.name} --override "REASON" ...')
        return
    start = instant(min(stored.starts, default=None)) or "DATE"
    say(f'Next: calib certify {stored.name} --from {start} --reason "..."')
