"""Applications: which file got which calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.application import AppliedDetector
from calib.model.store.record import Application
from calib.report.blocks import NONE, Table, View, at_second, fixed
from calib.report.certifications import stamp_view
from calib.report.scalar import instant, number


def application_view(application: Application) -> dict[str, Any]:
    """One application of a calibration to a file; times in UTC, distance in mm."""
    return {
        "id": application.id,
        "calibration": f"{application.serial}:{application.version}",
        "calibration_id": application.calibration_id,
        "serial": application.serial,
        "output_names": list(application.output_names),
        "output_sha256": list(application.output_sha256),
        "input_sha256": list(application.input_sha256),
        "data_time": instant(application.data_time),
        "distance_mm": number(application.distance_mm),
        "why": application.why,
        "applied": stamp_view(application.applied),
    }


def applied_view(
    inputs: Sequence[str],
    outputs: Sequence[str],
    detectors: Sequence[AppliedDetector],
    *,
    receipt: str | None,
    recorded: bool,
    copied: bool,
    written: bool,
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The result of ``calib apply``; ``written`` is false in a dry run."""
    return {
        "inputs": list(inputs),
        "outputs": list(outputs),
        "detectors": [
            {
                "detector": one.index,
                "serial": one.serial,
                "calibration": one.calibration,
                "calibration_id": one.calibration_id,
                "state": one.state.value,
                "distance_mm": number(one.distance_mm),
                "data_time": instant(one.data_time),
                "why": one.why,
                "pose_residual_um": number(one.pose_residual_um),
                "replaced": one.replaced or None,
            }
            for one in detectors
        ],
        "copied": copied,
        "written": written,
        "receipt": receipt,
        "recorded": recorded,
        "warnings": list(warnings),
    }


def file_name(view: View) -> str:
    """The first output file of an application; older stores may have applications without one."""
    return str(next(iter(view["output_names"]), NONE))


def application_table(views: Sequence[View]) -> Table:
    """Applications, one per line."""
    return Table(
        "",
        ("file", "calibration", "data taken", "applied", "by", "distance mm"),
        tuple(
            (
                file_name(view),
                view["calibration"],
                at_second(view["data_time"]),
                at_second(view["applied"]["at"]),
                view["applied"]["by"],
                fixed(view["distance_mm"], 1),
            )
            for view in views
        ),
        n_text=5,
    )


def applied_table(views: Sequence[View]) -> Table:
    """The calibration applied to each detector of each experiment list."""
    return Table(
        "",
        (
            "output",
            "calibration",
            "state",
            "data taken",
            "replaced",
            "distance mm",
            "pose fit residual um",
        ),
        tuple(
            (
                view["outputs"][0],
                one["calibration"],
                one["state"],
                at_second(one["data_time"]),
                one["replaced"] or NONE,
                fixed(one["distance_mm"], 1),
                fixed(one["pose_residual_um"], 3),
            )
            for view in views
            for one in view["detectors"]
        ),
        n_text=5,
    )
