"""What the store keeps: detectors, calibrations, certifications, applications."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from calib.model.canonical import content_id
from calib.model.content import from_content, to_content
from calib.model.correction import CorrectionEstimate
from calib.model.layout import Layout
from calib.model.report import Acceptance, Report
from calib.model.validity import DistanceRange, Validity


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did something, when, where."""

    at: datetime
    """UTC."""
    actor: str
    """Login name, or what ``CALIB_ACTOR`` or ``--by`` says."""
    host: str


@dataclass(frozen=True, slots=True, eq=False)
class DetectorRecord:
    """One physical detector."""

    serial: str
    layout: Layout
    """The panels as drawn."""
    time_zone: str
    """IANA name; how times without offset are read for this detector."""
    description: str
    """The identifier in the file it was registered from, or what a person said."""

    @property
    def layout_id(self) -> str:
        """The name of the layout's content."""
        return content_id(self.layout.content())


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationRecord:
    """One derivation's result. Its id names its content: not its version, times, actor, place."""

    serial: str
    layout_id: str
    distances_mm: tuple[float, ...]
    """The distances of the datasets, ascending, those within 1 % of one another as one."""
    panel_names: tuple[str, ...]
    estimate: CorrectionEstimate
    parameters: Mapping[str, Any]
    """The options that the solver ran with."""
    code_version: str
    report: Report
    acceptance: Acceptance

    @property
    def covariance_sha256(self) -> str:
        """The hash of the covariance artifact's bytes."""
        return hashlib.sha256(self.estimate.covariance_bytes()).hexdigest()

    def panels_content(self) -> dict[str, Any]:
        """What the panel rows say, for the canonical form: mm and rad, one sigma per freedom."""
        estimate = self.estimate
        return {
            "format": "calib/panels/1",
            "names": list(self.panel_names),
            "status": [status.value for status in estimate.status],
            "n_reflections": estimate.n_reflections.tolist(),
            "values": estimate.correction.values,
            "sigmas": estimate.sigma[:, estimate.freedom.free],
        }

    def report_content(self) -> dict[str, Any]:
        """What the report says, for the canonical form: without what people call the datasets."""
        report = to_content(from_content(Report, to_content(self.report)))
        for dataset in report["datasets"]:
            del dataset["name"]
        return {"format": "calib/report/1", **report}

    def content(self) -> dict[str, Any]:
        """What makes this calibration this calibration, for the canonical form.

        Panels, covariance and report are named by their own hashes, so that each can be read and
        verified without the others.
        """
        return {
            "format": "calib/calibration/1",
            "serial": self.serial,
            "layout": self.layout_id,
            "distances_mm": [float(distance) for distance in self.distances_mm],
            "freedom": self.estimate.freedom.value,
            "panels": content_id(self.panels_content()),
            "covariance": self.covariance_sha256,
            "parameters": to_content(self.parameters),
            "code_version": self.code_version,
            "report": content_id(self.report_content()),
            "acceptance": to_content(self.acceptance),
        }

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical content."""
        return content_id(self.content())


class State(StrEnum):
    """How far a calibration is trusted; derived from the record, never stored."""

    DRAFT = "draft"
    """It failed acceptance."""
    ACCEPTED = "accepted"
    """It passed the gates; nobody has certified it."""
    CERTIFIED = "certified"
    """Somebody stands for it over some time and distance."""
    WITHDRAWN = "withdrawn"
    """Every certification of it was withdrawn."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredCalibration:
    """A calibration with its place in one store."""

    record: CalibrationRecord
    id: str
    """Verified against the record when it was read."""
    version: int
    """Dense per detector, from 1."""
    stored: Deed
    """When it was first stored, by whom."""
    state: State
    starts: tuple[datetime, ...]
    """When the datasets were taken, where known, ascending."""

    @property
    def name(self) -> str:
        """``SERIAL:VERSION``."""
        return f"{self.record.serial}:{self.version}"


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """A calibration as a list shows it, without its panels."""

    serial: str
    version: int
    id: str
    state: State
    distances_mm: tuple[float, ...]
    freedom: str
    n_reflections: int
    stored: Deed


@dataclass(frozen=True, slots=True)
class Certification:
    """Somebody's word that a calibration holds over a time and a range of distances."""

    number: int
    """Its place in the store's record; 0 before it is recorded."""
    calibration_id: str
    serial: str
    version: int
    validity: Validity
    distances: DistanceRange
    reason: str
    override: str
    """Why a calibration that failed acceptance is certified all the same; empty otherwise."""
    recorded: Deed
    withdrawn: Deed | None
    """When it was withdrawn, by whom."""
    withdrawn_reason: str


@dataclass(frozen=True, slots=True)
class Application:
    """One file that got one calibration. Its receipt id is the hash of its content."""

    serial: str
    calibration_id: str
    version: int
    input_sha256: tuple[str, ...]
    """Experiments first, then reflections where given."""
    output_sha256: tuple[str, ...]
    output_names: tuple[str, ...]
    """File names without folders."""
    data_time: datetime | None
    distance_mm: float
    why: str
    """Why this calibration was chosen."""
    applied: Deed

    @property
    def id(self) -> str:
        """The name of the receipt, under which it is recorded once."""
        return content_id({"format": "calib/application/1", **to_content(self)})
