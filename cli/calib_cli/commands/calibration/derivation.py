"""What derive and combine share: options of the prior, and how a derivation is told."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from calib_cli.errors import NO
from calib_cli.output import say, write_blocks, write_json

if TYPE_CHECKING:
    from calib.flows.shared.results import Derived
    from calib.model.store.record import StoredCalibration
    from calib.solve.prior import PanelPrior

_DEEPEST = 9
_LARGEST_RATIO = 1000.0
_SMALLEST_PRIOR, _LARGEST_PRIOR = 1e-3, 1e6
"""In micrometres or milliradian; beyond these arithmetic fails before physics does."""


class FreedomName(StrEnum):
    """The names of ``calib.model.detector.correction.Freedom``, which is heavier to import."""

    IN_PLANE = "in-plane"
    FULL = "full"


FreedomChoice = Annotated[
    FreedomName | None,
    typer.Option(
        "--freedom",
        help="Which parameters of a panel are refined. Default: full where the distances "
        "differ by a factor of 1.5 or more, else in-plane.",
    ),
]
PriorShift = Annotated[
    float,
    typer.Option("--prior-shift-um", metavar="UM", help="Assembly tolerance in the plane."),
]
PriorNormal = Annotated[
    float, typer.Option("--prior-normal-um", metavar="UM", help="The same along the normal.")
]
PriorTilt = Annotated[
    float, typer.Option("--prior-tilt-mrad", metavar="MRAD", help="The same in angle.")
]

Levels = Annotated[
    str,
    typer.Option(
        "--levels",
        metavar="N",
        help="Of a detector in groups (quadrants, sensors): how many levels are refined, or all. "
        "What lies deeper moves with its group.",
    ),
]
LevelRatio = Annotated[
    float,
    typer.Option(
        "--level-ratio",
        metavar="R",
        help="How much tighter each level of groups is mounted than the one above; the tolerances "
        "are those of the second level.",
    ),
]


def prior_of(
    shift_um: float, normal_um: float, tilt_mrad: float, levels: str, level_ratio: float
) -> PanelPrior:
    """The prior that was asked for; raises ``InputError`` for what is no tolerance."""
    from calib.solve.prior import PanelPrior

    return PanelPrior(
        _positive("--prior-shift-um", shift_um) * 1e-3,
        _positive("--prior-normal-um", normal_um) * 1e-3,
        _positive("--prior-tilt-mrad", tilt_mrad) * 1e-3,
        _ratio(level_ratio),
        _levels(levels),
    )


def tell_derived(done: Derived, *, dry_run: bool, as_json: bool, all_panels: bool) -> None:
    """Print what was derived; raises ``typer.Exit`` where it was not accepted."""
    from calib.report.calibration.derived import derived_blocks, derived_view

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
        write_blocks(derived_blocks(view, all_panels=all_panels))
        if done.stored is not None:
            _say_what_next(done.stored, new=done.new)
    if not done.record.acceptance.accepted:
        raise typer.Exit(NO)


def _levels(text: str) -> int | None:
    from calib.errors import InputError

    if text == "all":
        return None
    if text.isdecimal() and 1 <= int(text) <= _DEEPEST:
        return int(text)
    raise InputError(
        "bad-levels", f"--levels {text} names no levels.", remedy="all, or a number from 1 on."
    )


def _ratio(value: float) -> float:
    from calib.errors import InputError

    if 1.0 <= value <= _LARGEST_RATIO:
        return value
    raise InputError(
        "bad-prior",
        f"--level-ratio {value:g} is no ratio of tolerances.",
        remedy=f"a number from 1 to {_LARGEST_RATIO:g}.",
    )


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
