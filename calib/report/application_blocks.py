"""Applications as people see them."""

from __future__ import annotations

from collections.abc import Sequence

from calib.report.blocks import NONE, Table, View, at_second, fixed


def application_table(views: Sequence[View]) -> Table:
    """Which files got which calibration, a line each."""
    return Table(
        "",
        ("file", "calibration", "data taken", "applied", "by", "distance mm"),
        tuple(
            (
                view["output_names"][0],
                view["calibration"],
                at_second(view["data_time"]),
                at_second(view["applied"]["at"]),
                view["applied"]["by"],
                fixed(view["distance_mm"], 2),
            )
            for view in views
        ),
        n_text=5,
    )


def applied_table(views: Sequence[View]) -> Table:
    """What each detector of each experiment list got."""
    return Table(
        "",
        ("output", "calibration", "state", "data taken", "replaced", "distance mm", "pose um"),
        tuple(
            (
                view["outputs"][0],
                one["calibration"],
                one["state"],
                at_second(one["data_time"]),
                one["replaced"] or NONE,
                fixed(one["distance_mm"], 2),
                fixed(one["pose_residual_um"], 3),
            )
            for view in views
            for one in view["detectors"]
        ),
        n_text=5,
    )
