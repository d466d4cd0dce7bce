"""What derive and combine share: options of the method and the prior, and printing the result."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calib_cli.errors import NO
from calib_cli.help import ADVANCED, METHOD, OUTPUT, PRIOR
from calib_cli.output import notify, write_blocks, write_json

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
        metavar="in-plane|full",
        help="Refine these panel parameters.",
        show_default="full",
        rich_help_panel=METHOD,
    ),
]
PriorShift = Annotated[
    float,
    typer.Option(
        "--prior-shift-um",
        metavar="UM",
        help="Set the in-plane assembly tolerance.",
        rich_help_panel=PRIOR,
    ),
]
PriorNormal = Annotated[
    float,
    typer.Option(
        "--prior-normal-um",
        metavar="UM",
        help="Set the tolerance along the normal.",
        rich_help_panel=PRIOR,
    ),
]
PriorTilt = Annotated[
    float,
    typer.Option(
        "--prior-tilt-mrad",
        metavar="MRAD",
        help="Set the tolerance of the angles.",
        rich_help_panel=PRIOR,
    ),
]
HoldPrior = Annotated[
    bool,
    typer.Option(
        "--hold-prior",
        help="Use the tolerances as they are, rather than learn typical deviations from the data.",
        rich_help_panel=ADVANCED,
    ),
]
Levels = Annotated[
    str,
    typer.Option(
        "--levels",
        metavar="N",
        help="Refine N levels of a detector in groups (quadrants, sensors), or all; deeper levels "
        "move with their group.",
        rich_help_panel=ADVANCED,
    ),
]
LevelRatio = Annotated[
    float,
    typer.Option(
        "--level-ratio",
        metavar="R",
        help="Divide the tolerances by R from each level of groups to the next; they are given for "
        "the second level.",
        rich_help_panel=ADVANCED,
    ),
]
Details = Annotated[
    bool,
    typer.Option(
        "--details",
        help="Also print datasets, panels and weak modes.",
        rich_help_panel=OUTPUT,
    ),
]


def prior_of(
    shift_um: float,
    normal_um: float,
    tilt_mrad: float,
    levels: str,
    level_ratio: float,
    *,
    held: bool,
) -> PanelPrior:
    """The prior from the options; raises ``InputError`` for a tolerance out of range."""
    from calib.solve.prior import PanelPrior

    return PanelPrior(
        _positive("--prior-shift-um", shift_um) * 1e-3,
        _positive("--prior-normal-um", normal_um) * 1e-3,
        _positive("--prior-tilt-mrad", tilt_mrad) * 1e-3,
        _ratio(level_ratio),
        _levels(levels),
        held,
    )


def print_derived(
    done: Derived,
    head: dict[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
    details: bool,
    all_panels: bool,
) -> None:
    """Print what was derived, and the head of the log; raises ``typer.Exit`` if it was not
    accepted.

    Without ``details``, the verdict, the residuals and the main facts only.
    """
    from calib.report.calibration.derived import derived_blocks, derived_summary, derived_view
    from calib.report.log import head_facts

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
        verb = "Would register" if dry_run else "Registered"
        notify(
            f"{verb} the new detector {done.record.serial}; times without offset are read in "
            f"{done.registered.time_zone}."
        )
        if done.registered.time_zone == "UTC" and not dry_run:
            notify(
                f"If its clocks are in another zone: calib detector edit {done.record.serial} "
                "--time-zone ZONE --reason TEXT"
            )
    for notice in done.notices:
        notify(f"Note: {notice}")
    if as_json:
        write_json({**view, "log_head": head})
    else:
        whole = derived_blocks(view, all_panels=all_panels) if details else derived_summary(view)
        write_blocks([*whole, head_facts(head)])
        _notify_next_step(done.stored, new=done.new, details=details)
    if not done.record.acceptance.accepted:
        raise typer.Exit(NO)


def _levels(text: str) -> int | None:
    from calib.errors import InputError

    if text == "all":
        return None
    if text.isdecimal() and 1 <= int(text) <= _DEEPEST:
        return int(text)
    raise InputError(
        "bad-levels",
        f"--levels {text} is not a number of levels.",
        remedy="--levels all, or a number from 1 to 9.",
    )


def _ratio(value: float) -> float:
    from calib.errors import InputError

    if 1.0 <= value <= _LARGEST_RATIO:
        return value
    raise InputError(
        "bad-prior",
        f"--level-ratio {value:g} is out of range.",
        remedy=f"a number from 1 to {_LARGEST_RATIO:g}.",
    )


def _positive(option: str, value: float) -> float:
    from calib.errors import InputError

    if _SMALLEST_PRIOR <= value <= _LARGEST_PRIOR:
        return value
    if 0.0 < value < float("inf"):
        raise InputError(
            "bad-prior",
            f"{option} {value:g} is out of range.",
            remedy=f"a number from {_SMALLEST_PRIOR:g} to {_LARGEST_PRIOR:g}.",
        )
    raise InputError(
        "bad-prior", f"{option} {value:g} is not a tolerance.", remedy="a number above 0."
    )


def _notify_next_step(stored: StoredCalibration | None, *, new: bool, details: bool) -> None:
    from calib.report.scalar import instant

    if stored is None:
        if not details:
            notify("--details prints datasets, panels and weak modes.")
        return
    if not new:
        notify(f"The result is already stored as {stored.name}.")
    if not details:
        notify(f"Datasets, panels and weak modes: calib show {stored.name}")
    if not stored.record.acceptance.accepted:
        notify("It is a draft, which is not used: derive again from better data.")
        return
    start = instant(min(stored.starts, default=None)) or "DATE"
    partial = " --partial" if stored.record.estimate.is_partial else ""
    notify(f'Next: calib certify {stored.name} --from {start}{partial} --reason "..."')
