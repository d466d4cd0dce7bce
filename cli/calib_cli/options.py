"""Options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class DistancePolicyName(StrEnum):
    """Which distances a certification answers (``calib.model.store.resolution.DistancePolicy``)."""

    EXACT = "exact"
    NEAREST = "nearest"


class TimePolicyName(StrEnum):
    """Which instants a certification answers (``calib.model.store.resolution.TimePolicy``)."""

    PRIOR = "prior"
    CLOSEST = "closest"


StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help="The store: a file, or postgresql://USER@HOST/DATABASE. "
        "Default: CALIB_STORE or the settings, else a file in your data folder.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Do everything except writing.")]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Who does this. Default: CALIB_ACTOR or the settings, else your login name.",
        show_default=False,
    ),
]
Serial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="The detector's serial number, where a bare version is given.",
        show_default=False,
    ),
]
FileSerial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="The detector's serial number. Default: as the file names it.",
        show_default=False,
    ),
]
ForceSerial = Annotated[
    bool, typer.Option("--force-serial", help="Use --serial even where the file names another.")
]
AsKnownAt = Annotated[
    str | None,
    typer.Option(
        "--as-known-at",
        metavar="MOMENT",
        help="What was recorded later does not count: a position of the log (calib audit log), or "
        "a time.",
        show_default=False,
    ),
]
DistanceChoice = Annotated[
    DistancePolicyName,
    typer.Option(
        "--distance-policy",
        help="exact: certified for this distance. nearest: or beyond, within the stated gap.",
    ),
]
TimeChoice = Annotated[
    TimePolicyName,
    typer.Option(
        "--time-policy",
        help="prior: certified for this time. closest: or the closest in time, from the future "
        "as well.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite outputs that exist.")]
AllPanels = Annotated[bool, typer.Option("--panels", help="List all panels.")]
RepeatUm = Annotated[
    float,
    typer.Option(
        "--repeat-um",
        metavar="UM",
        help="By how much calibrations of an unchanged detector scatter beyond their sigmas, "
        "which know of noise only; 5 was seen on real scans.",
    ),
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="CALIBRATION",
        help="SERIAL:VERSION, 8 or more characters of an id, or a bare version.",
        show_default=False,
    ),
]
SerialName = Annotated[
    str, typer.Argument(metavar="SERIAL", help="The detector's serial number.", show_default=False)
]
BundleFile = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A file of calib bundle create.")
]
