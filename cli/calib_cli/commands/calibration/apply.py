"""calib apply: apply the certified calibration to experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calib.errors import CalibError, InputError
from calib_cli.completion import (
    complete_calibration,
    complete_dials_files,
    complete_reflections,
)
from calib_cli.context import notify_local_times, open_store, stamp
from calib_cli.errors import SOME_FAILED, failure_of
from calib_cli.help import ADVANCED, INPUT, OUTPUT, VALIDITY
from calib_cli.options import (
    AdvancedAsKnownAt,
    AsJson,
    By,
    DataDistance,
    DataTime,
    DistanceChoice,
    DistancePolicyName,
    DryRun,
    FileSerial,
    Force,
    ForceSerial,
    ImagesRoot,
    NoImages,
    StorePlace,
    TimeChoice,
    TimePolicyName,
)
from calib_cli.output import notify, write_blocks, write_json

if TYPE_CHECKING:
    from calib.flows.apply import Applied

Apply = Callable[["Job"], "Applied"]


class IfMissing(StrEnum):
    """What to do if no certification matches the data."""

    FAIL = "fail"
    COPY = "copy"


class OnePanelName(StrEnum):
    """The names of ``calib.flows.layouts.one_panel.OnePanel``, without loading numpy."""

    PANELS = "panels"
    POSITIONS = "positions"


@dataclass(frozen=True, slots=True)
class Job:
    """One experiment list with its reflections, and the output files."""

    experiments: Path
    output: Path
    reflections: Path | None
    reflections_output: Path | None


def apply(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="EXPT [REFL] ...",
            help="Experiment lists, with their reflections if any.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_dials_files,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the experiments here.",
            show_default="./STEM_calibrated.expt",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    reflections: Annotated[
        Path | None,
        typer.Option(
            "--reflections",
            metavar="REFL",
            help="Read reflections from this file, whatever its suffix.",
            rich_help_panel=ADVANCED,
            autocompletion=complete_reflections,
        ),
    ] = None,
    reflections_output: Annotated[
        Path | None,
        typer.Option(
            "--reflections-out",
            metavar="FILE",
            help="Write the reflections here.",
            show_default="beside it",
            readable=False,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    serial: FileSerial = None,
    force_serial: ForceSerial = False,
    at: DataTime = None,
    images: ImagesRoot = None,
    no_images: NoImages = False,
    distance_mm: DataDistance = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="CALIBRATION",
            help="Apply this calibration.",
            show_default="the certified one",
            rich_help_panel=VALIDITY,
            autocompletion=complete_calibration,
        ),
    ] = None,
    as_known_at: AdvancedAsKnownAt = None,
    distance_policy: DistanceChoice = DistancePolicyName.EXACT,
    time_policy: TimeChoice = TimePolicyName.PRIOR,
    if_missing: Annotated[
        IfMissing,
        typer.Option(
            "--if-missing",
            metavar="fail|copy",
            help="Copy the input unchanged if none is certified.",
            rich_help_panel=VALIDITY,
        ),
    ] = IfMissing.FAIL,
    one_panel: Annotated[
        OnePanelName | None,
        typer.Option(
            "--as",
            metavar="panels|positions",
            help="Of a detector with one panel, correct the modules, or keep the panel and correct "
            "observed positions.",
            show_default="panels, if DIALS can read them",
            rich_help_panel=ADVANCED,
        ),
    ] = None,
    nominal: Annotated[
        bool,
        typer.Option("--nominal", help="Take a correction off instead.", rich_help_panel=ADVANCED),
    ] = False,
    force: Force = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Apply the certified calibration to experiments.

    Uses the calibration certified for the time and distance of the data. Changes the panels only;
    replaces an earlier correction.

    \b
    Example:
      calib apply imported.expt -o calibrated.expt
      calib apply indexed.expt indexed.refl
    """
    from calib.api.application import apply as apply_calibration

    jobs = jobs_of(paths, output, reflections, reflections_output)
    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        shared_stamp = stamp(by)  # the same for all files of this command

        def applied(job: Job) -> Applied:
            return apply_calibration(
                job.experiments,
                job.output,
                reflections=job.reflections,
                reflections_output=job.reflections_output,
                store=opened,
                by=shared_stamp,
                serial=serial,
                force_serial=force_serial,
                images=images,
                read_images=not no_images,
                at=at,
                distance_mm=distance_mm,
                calibration=calibration,
                as_known_at=as_known_at,
                distance_policy=distance_policy,
                time_policy=time_policy,
                one_panel=one_panel,
                nominal=nominal,
                copy_if_missing=if_missing is IfMissing.COPY,
                force=force,
                dry_run=dry_run,
            )

        if len(jobs) == 1:
            views, codes = [_applied(jobs[0], applied, dry_run=dry_run)], [0]
        else:
            views, codes = _applied_to_each(jobs, applied, dry_run=dry_run)
        done = [view for view in views if "error" not in view]
        for name in sorted({one["serial"] for view in done for one in view["detectors"]}):
            notify_local_times(opened, name, at, as_known_at)
    if as_json:
        write_json(views if len(jobs) > 1 else views[0])
    elif any(view["detectors"] for view in done):
        from calib.report.applications import applied_table

        write_blocks([applied_table(done)])
    if any(codes):
        raise typer.Exit(max(codes) if all(codes) else SOME_FAILED)


def jobs_of(
    paths: list[Path],
    output: Path | None,
    reflections: Path | None,
    reflections_output: Path | None,
) -> list[Job]:
    """Pair experiment lists with reflection tables and output files.

    A single list takes the single table that is given; several take those of the same stem.
    """
    tables = [path for path in paths if ".refl" in path.suffixes]
    lists = [path for path in paths if path not in tables]
    tables += [] if reflections is None else [reflections]
    if not lists:
        raise InputError(
            "no-experiments", "no experiment list is given.", remedy="add the .expt file."
        )
    if len(lists) == 1:
        if len(tables) > 1:
            raise InputError(
                "ambiguous-files",
                f"{len(tables)} reflection tables are given for one experiment list.",
                remedy="give one table for each list.",
            )
        if reflections_output is not None and not tables:
            raise InputError(
                "bad-use",
                "--reflections-out is given, but no reflections are.",
                remedy="add the .refl file.",
            )
        table = tables[0] if tables else None
        return [Job(lists[0], output or _output(lists[0]), table, reflections_output)]
    if output is not None or reflections_output is not None or reflections is not None:
        raise InputError(
            "bad-use",
            "-o, --reflections and --reflections-out work for one experiment list only; "
            f"{len(lists)} are given.",
            remedy="omit them: each list is written to ./STEM_calibrated.expt.",
        )
    by_stem = {table.with_suffix(""): table for table in tables}
    jobs = [
        Job(path, _output(path), by_stem.pop(path.with_suffix(""), None), None) for path in lists
    ]
    if by_stem:
        left = ", ".join(str(path) for path in by_stem.values())
        raise InputError(
            "unmatched-files",
            f"no experiment list has the stem of {left}.",
            remedy="run calib apply once for each pair whose stems differ.",
        )
    return jobs


def _output(path: Path) -> Path:
    return Path(f"{path.stem}_calibrated.expt")


def _applied(job: Job, applied: Apply, *, dry_run: bool) -> dict[str, Any]:
    from calib.report.applications import applied_view

    done = applied(job)
    for warning in done.warnings:
        notify(f"Warning: {job.experiments}: {warning}")
    if not dry_run:
        notify(f"Wrote {' and '.join(str(path) for path in done.outputs)}.")
    inputs = [path for path in (job.experiments, job.reflections) if path is not None]
    return applied_view(
        [str(path) for path in inputs],
        [str(path) for path in done.outputs],
        done.detectors,
        receipt=None if done.receipt is None else str(done.receipt),
        recorded=done.recorded,
        copied=done.copied,
        written=not dry_run,
        warnings=done.warnings,
    )


def _applied_to_each(
    jobs: list[Job], applied: Apply, *, dry_run: bool
) -> tuple[list[dict[str, Any]], list[int]]:
    """Apply each request; return a view and an exit code for each. A failure does not stop the
    others."""
    views: list[dict[str, Any]] = []
    codes = []
    for job in jobs:
        try:
            views.append(_applied(job, applied, dry_run=dry_run))
            codes.append(0)
        except CalibError as error:
            failure = failure_of(error, [])
            if not failure.place:
                failure = replace(failure, place=str(job.experiments))
            notify(failure.text)
            views.append({"inputs": [str(job.experiments)], **failure.content})
            codes.append(failure.exit_code)
    return views, codes
