"""Options that several commands share, each with its panel of the help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.completion import complete_bundle, complete_calibration, complete_serial
from calib_cli.help import ADVANCED, INPUT, METHOD, OUTPUT, STORE


class DistancePolicyName(StrEnum):
    """The names of ``calib.model.store.resolution.DistancePolicy``, without loading numpy."""

    EXACT = "exact"
    NEAREST = "nearest"


class TimePolicyName(StrEnum):
    """The names of ``calib.model.store.resolution.TimePolicy``, without loading numpy."""

    PRIOR = "prior"
    CLOSEST = "closest"


StorePlace = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="STORE",
        help="Use this file or postgresql:// URL. [$CALIB_STORE]",
        show_default=False,
        rich_help_panel=STORE,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="NAME",
        help="Record this author. [$CALIB_ACTOR, or login name]",
        show_default=False,
        rich_help_panel=STORE,
    ),
]
AsKnownAt = Annotated[
    str | None,
    typer.Option(
        "--as-known-at",
        metavar="TIME",
        help="Ignore records after a time or log position.",
        show_default=False,
        rich_help_panel=STORE,
    ),
]
AdvancedAsKnownAt = Annotated[
    str | None,
    typer.Option(
        "--as-known-at",
        metavar="TIME",
        help="Ignore records after a time or log position.",
        show_default=False,
        rich_help_panel=ADVANCED,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON.", rich_help_panel=OUTPUT)
]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print a table as CSV.", rich_help_panel=OUTPUT)]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print what would be done; write nothing.", rich_help_panel=OUTPUT
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Replace existing files, each only by one of its own format.",
        rich_help_panel=OUTPUT,
    ),
]
AllPanels = Annotated[
    bool, typer.Option("--panels", help="List every panel.", rich_help_panel=OUTPUT)
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="CALIBRATION",
        help="SERIAL:VERSION, or the start of an id (8 characters).",
        show_default=False,
        rich_help_panel=INPUT,
        autocompletion=complete_calibration,
    ),
]
Serial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="Look up a version number in this detector.",
        show_default=False,
        rich_help_panel=INPUT,
        autocompletion=complete_serial,
    ),
]
OnlySerial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="List this detector only.",
        show_default=False,
        rich_help_panel=INPUT,
        autocompletion=complete_serial,
    ),
]
SerialName = Annotated[
    str,
    typer.Argument(
        metavar="SERIAL",
        help="Serial number of the detector.",
        show_default=False,
        rich_help_panel=INPUT,
        autocompletion=complete_serial,
    ),
]
FileSerial = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        help="Set the serial number.",
        show_default="from the file",
        rich_help_panel=INPUT,
        autocompletion=complete_serial,
    ),
]
ForceSerial = Annotated[
    bool,
    typer.Option(
        "--force-serial",
        help="Use --serial even if the file names another detector.",
        rich_help_panel=ADVANCED,
    ),
]
ImagesRoot = Annotated[
    Path | None,
    typer.Option(
        "--images",
        metavar="FOLDER",
        help="Find the images that the experiments name in this folder.",
        show_default="where the experiments say",
        rich_help_panel=ADVANCED,
    ),
]
DataTime = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="Set the time of the data.",
        show_default="from the file",
        rich_help_panel=INPUT,
    ),
]
DataDistance = Annotated[
    float | None,
    typer.Option(
        "--distance-mm",
        "--distance",
        metavar="MM",
        help="Set the distance.",
        show_default="from the file",
        rich_help_panel=INPUT,
    ),
]
NoImages = Annotated[
    bool,
    typer.Option(
        "--no-images",
        help="Do not read the serial number and the time from images.",
        rich_help_panel=ADVANCED,
    ),
]
Reason = Annotated[
    str,
    typer.Option(
        "--reason",
        metavar="TEXT",
        help="Record why.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
Halves = Annotated[
    bool,
    typer.Option(
        "--halves",
        help="Take each half of a module with a CdTe sensor as a panel.",
        rich_help_panel=INPUT,
    ),
]
SigningKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="Sign with this private key.",
        show_default="the key of calib audit key",
        rich_help_panel=INPUT,
    ),
]
BundleFile = Annotated[
    Path,
    typer.Argument(
        metavar="BUNDLE",
        help="File written by calib bundle create.",
        rich_help_panel=INPUT,
        autocompletion=complete_bundle,
    ),
]
DistanceChoice = Annotated[
    DistancePolicyName,
    typer.Option(
        "--distance-policy",
        metavar="exact|nearest",
        help="exact: require a certification for this distance; nearest: accept the nearest one "
        "within its extrapolation limit (calib certify --gap-mm).",
        rich_help_panel=ADVANCED,
    ),
]
TimeChoice = Annotated[
    TimePolicyName,
    typer.Option(
        "--time-policy",
        metavar="prior|closest",
        help="prior: require a certification in force at this time; closest: if none is, use the "
        "closest in time, future ones included.",
        rich_help_panel=ADVANCED,
    ),
]
RepeatUm = Annotated[
    float | None,
    typer.Option(
        "--repeat-um",
        metavar="UM",
        help="Allow for this repeatability of panels from one occasion to another (1 sigma); 0: "
        "noise only.",
        show_default="5",
        rich_help_panel=METHOD,
    ),
]
