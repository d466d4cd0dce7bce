"""Applications as scripts see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from calib.model.store.record import Application, State
from calib.report.certification_view import deed_view
from calib.report.scalar import instant, number


def application_view(application: Application) -> dict[str, Any]:
    """One file that got one calibration."""
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
        "applied": deed_view(application.applied),
    }


class AppliedDetector(Protocol):
    """One detector of an experiment list, and what it got (``calib.flows.apply``)."""

    @property
    def index(self) -> int: ...
    @property
    def serial(self) -> str: ...
    @property
    def calibration(self) -> str: ...
    @property
    def calibration_id(self) -> str: ...
    @property
    def state(self) -> State: ...
    @property
    def distance_mm(self) -> float: ...
    @property
    def data_time(self) -> datetime | None: ...
    @property
    def why(self) -> str: ...
    @property
    def pose_residual_um(self) -> float: ...
    @property
    def replaced(self) -> str: ...


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
    """What an application answers; ``written`` is false in a dry run."""
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
