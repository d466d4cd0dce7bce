"""calib apply: the right calibration for experiments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from calib.errors import CalibError, InputError
from calib_cli.context import actor, open_store
from calib_cli.errors import SOME_FAILED, failure_of
from calib_cli.options import (
    AsJson,
    AsKnownAt,
    By,
    DistanceChoice,
    DistancePolicyName,
    DryRun,
    FileSerial,
    Force,
    ForceSerial,
    StorePlace,
    TimeChoice,
    TimePolicyName,
)
from calib_cli.output import say, write_blocks, write_json

if TYPE_CHECKING:
    from calib.flows.apply import Applied

Apply = Callable[["Job"], "Applied"]


class IfMissing(StrEnum):
    """What to do where nothing is certified for the data."""

    FAIL = "fail"
    COPY = "copy"


@dataclass(frozen=True, slots=True)
class Job:
    """One experiment list with its reflections, and where they go."""

    experiments: Path
    output: Path
    reflections: Path | None
    reflections_output: Path | None


def apply(
    ctx: typer.Context,
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES",
            help="An experiment list (.expt), with its reflections (.refl) or without; or several.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write. Default: STEM_calibrated.expt in the current folder.",
        ),
    ] = None,
    reflections: Annotated[
        Path | None,
        typer.Option("--reflections", metavar="REFL", help="The reflections, whatever their name."),
    ] = None,
    reflections_output: Annotated[
        Path | None,
        typer.Option(
            "--reflections-out", metavar="FILE", help="Default: beside the output, as .refl."
        ),
    ] = None,
    serial: FileSerial = None,
    force_serial: ForceSerial = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help="When the data were taken, without offset in the detector's time zone; or now. "
            "Default: as the experiment says.",
        ),
    ] = None,
    distance_mm: Annotated[
        float | None,
        typer.Option("--distance-mm", metavar="MM", help="Default: as the experiment says."),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            "--calibration",
            metavar="CALIBRATION",
            help="This one, whatever is certified. Default: the one certified for the data's "
            "time and distance.",
        ),
    ] = None,
    as_known_at: AsKnownAt = None,
    distance_policy: DistanceChoice = DistancePolicyName.EXACT,
    time_policy: TimeChoice = TimePolicyName.PRIOR,
    if_missing: Annotated[
        IfMissing,
        typer.Option(
            "--if-missing", help="Where nothing is certified: fail, or copy the input unchanged."
        ),
    ] = IfMissing.FAIL,
    force: Force = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Apply the right calibration to experiments.

    Only panels are changed. Pose, beam, crystal and scan stay as they are; an earlier
    correction is replaced.

    \b
    Example:
      calib apply imported.expt -o calibrated.expt
      calib apply indexed.expt indexed.refl
    """
    from calib.api.application import apply as apply_calibration

    jobs = jobs_of(paths, output, reflections, reflections_output)
    with open_store(ctx, store, read_only=dry_run) as opened:
        who = actor(by)

        def applied(job: Job) -> Applied:
            return apply_calibration(
                job.experiments,
                job.output,
                reflections=job.reflections,
                reflections_output=job.reflections_output,
                store=opened,
                by=who,
                serial=serial,
                force_serial=force_serial,
                at=at,
                distance_mm=distance_mm,
                calibration=calibration,
                as_known_at=as_known_at,
                distance_policy=distance_policy,
                time_policy=time_policy,
                copy_if_missing=if_missing is IfMissing.COPY,
                force=force,
                dry_run=dry_run,
            )

        if len(jobs) == 1:
            views, codes = [_applied(jobs[0], applied, dry_run=dry_run)], [0]
        else:
            views, codes = _applied_to_each(jobs, applied, dry_run=dry_run)
    done = [view for view in views if "error" not in view]
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
    """Which reflections belong to which experiment list, and where both go.

    One list takes the one table that is given; several take those of the same stem.
    """
    tables = [path for path in paths if ".refl" in path.suffixes]
    lists = [path for path in paths if path not in tables]
    tables += [] if reflections is None else [reflections]
    if not lists:
        raise InputError(
            "no-experiments", "there is no experiment list.", remedy="give the .expt file, too."
        )
    if len(lists) == 1:
        if len(tables) > 1:
            raise InputError(
                "ambiguous-files",
                f"{len(tables)} reflection tables for one experiment list.",
                remedy="one table for each list.",
            )
        if reflections_output is not None and not tables:
            raise InputError(
                "bad-use",
                "--reflections-out names a place, but there are no reflections.",
                remedy="give the .refl file, too.",
            )
        table = tables[0] if tables else None
        return [Job(lists[0], output or _output(lists[0]), table, reflections_output)]
    if output is not None or reflections_output is not None or reflections is not None:
        raise InputError(
            "bad-use",
            "-o, --reflections and --reflections-out are for one experiment list, but there are "
            f"{len(lists)}.",
            remedy="leave them out: each list gets STEM_calibrated.expt in the current folder.",
        )
    by_stem = {table.with_suffix(""): table for table in tables}
    jobs = [
        Job(path, _output(path), by_stem.pop(path.with_suffix(""), None), None) for path in lists
    ]
    if by_stem:
        left = ", ".join(str(path) for path in by_stem.values())
        raise InputError(
            "unmatched-files",
            f"no experiment list of the same name is given: {left}.",
            remedy="one calib apply for each pair whose names differ.",
        )
    return jobs


def _output(path: Path) -> Path:
    return Path(f"{path.stem}_calibrated.expt")


def _applied(job: Job, applied: Apply, *, dry_run: bool) -> dict[str, Any]:
    from calib.report.applications import applied_view

    done = applied(job)
    for warning in done.warnings:
        say(f"Warning: {job.experiments}: {warning}")
    if not dry_run:
        say(f"Wrote {' and '.join(str(path) for path in done.outputs)}.")
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
    """One answer and one exit code for each; one that fails does not stop the others."""
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
            say(failure.text)
            views.append({"inputs": [str(job.experiments)], **failure.content})
            codes.append(failure.exit_code)
    return views, codes
