"""The demonstration: calibrations from simulated data compared with the known truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calib.model.result.corner_errors import CornerErrors
from calib.model.store.record import CalibrationRecord, StoredCalibration
from calib.report.blocks import NONE, Block, Facts, Table, View, distances, fixed
from calib.report.calibration.residuals import rmsd_px
from calib.report.scalar import number

_GEOMETRIES = {"as_drawn": "nominal", "as_applied": "calibrated", "as_they_truly_are": "true"}
"""Keys of JSON, and what they are called in the table."""


def demo_view(
    derivations: Sequence[tuple[CalibrationRecord, StoredCalibration | None, CornerErrors]],
    *,
    distances_mm: tuple[float, float],
    target_rmsd_px: Mapping[str, float],
    outputs: Sequence[str],
    store: str,
    seconds: float,
) -> dict[str, Any]:
    """Errors of each derivation in um, and RMSD in px of the target before and after."""
    return {
        "derivations": [
            {
                "calibration": None if stored is None else stored.name,
                "distances_mm": [number(distance) for distance in record.distances_mm],
                "freedom": record.estimate.freedom.value,
                "rmsd_px": rmsd_px(record.report.overall),
                "corner_error_um": {
                    "in_plane": number(errors.in_plane_um),
                    "normal": number(errors.normal_um),
                    "seen_from_sample": number(errors.seen_um),
                },
            }
            for record, stored, errors in derivations
        ],
        "target": {
            "distance_mm": {"before": number(distances_mm[0]), "after": number(distances_mm[1])},
            "rmsd_px": {
                name.replace(" ", "_"): number(value) for name, value in target_rmsd_px.items()
            },
            "outputs": list(outputs),
        },
        "store": store,
        "seconds": number(round(seconds, 3)),
    }


def demo_blocks(view: View) -> list[Block]:
    """The derivations, the target dataset, and the files written."""
    target = view["target"]
    before, after = target["distance_mm"]["before"], target["distance_mm"]["after"]
    return [
        Table(
            "Derived calibrations compared with the known truth (rms over panel corners)",
            (
                "calibration",
                "freedom",
                "distances",
                "held-out RMSD px before",
                "after",
                "error um in plane",
                "along normal",
                "as seen from the sample",
            ),
            tuple(_derivation(one) for one in view["derivations"]),
            n_text=3,
        ),
        Table(
            "Target dataset, refined as a rigid detector",
            ("panel geometry", "RMSD px"),
            tuple(
                (_GEOMETRIES.get(name, name.replace("_", " ")), fixed(value, 4))
                for name, value in target["rmsd_px"].items()
            ),
        ),
        Facts(
            (
                ("Distance", f"{fixed(before, 4)} mm before, {fixed(after, 4)} mm after"),
                ("Written", ", ".join(target["outputs"])),
                ("Store", view["store"]),
                ("Time", f"{fixed(view['seconds'], 1)} s"),
            )
        ),
    ]


def _derivation(view: View) -> tuple[str, ...]:
    rmsd, error = view["rmsd_px"], view["corner_error_um"]
    held = [_both(rmsd[stage]["held_out"]) for stage in ("before", "after")]
    return (
        view["calibration"] or NONE,
        view["freedom"],
        distances(view["distances_mm"]),
        *held,
        fixed(error["in_plane"], 1),
        fixed(error["normal"], 1),
        fixed(error["seen_from_sample"], 1),
    )


def _both(xy: View | None) -> str:
    return NONE if xy is None else f"{fixed(xy['x'], 3)}, {fixed(xy['y'], 3)}"
