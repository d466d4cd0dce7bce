"""What the store keeps: detectors, calibrations, certifications, applications."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.base.canonical import content_id
from calib.model.base.content import from_content, to_content
from calib.model.detector.correction import CorrectionEstimate, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.report import Acceptance, Report
from calib.model.store.validity import DistanceRange, Validity


@dataclass(frozen=True, slots=True)
class ChangeStamp:
    """Who did something, when, where."""

    at: datetime
    """UTC."""
    actor: str
    """Login name, or what ``CALIB_ACTOR`` or ``--by`` says."""
    host: str
    command: str = ""
    """The command line, passwords hidden; empty from a program that uses the library."""
    reason: str = ""

    @property
    def signature(self) -> ChangeStamp:
        """Who, when and where alone, as rows and receipts keep it; the log keeps the rest."""
        return ChangeStamp(self.at, self.actor, self.host)


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
        """The name of the layout's identity."""
        return content_id(self.layout.identity())


def panels_id(
    names: tuple[str, ...],
    status: tuple[str, ...],
    n_reflections: tuple[int, ...],
    values: Floats,
    sigmas: Floats,
) -> str:
    """The name of n panel rows: ``values`` (n, 6) and ``sigmas`` (n, f) of the free parameters,
    in mm and rad."""
    return content_id(
        {
            "format": "calib/panels/1",
            "names": names,
            "status": status,
            "n_reflections": n_reflections,
            "values": values,
            "sigmas": sigmas,
        }
    )


def calibration_content(
    *,
    serial: str,
    layout_id: str,
    distances_mm: tuple[float, ...],
    freedom: Freedom,
    panels_id: str,
    covariance_sha256: str,
    parameters: Mapping[str, Any],
    code_version: str,
    report_id: str,
    acceptance: Acceptance,
) -> dict[str, Any]:
    """What names a calibration. Panels, covariance and report stand in it by their own names, so
    that each can be read and verified without the others."""
    return {
        "format": "calib/calibration/1",
        "serial": serial,
        "layout": layout_id,
        "distances_mm": [float(distance) for distance in distances_mm],
        "freedom": freedom.value,
        "panels": panels_id,
        "covariance": covariance_sha256,
        "parameters": to_content(parameters),
        "code_version": code_version,
        "report": report_id,
        "acceptance": to_content(acceptance),
    }


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

    @property
    def panels_id(self) -> str:
        """The name of what the panel rows say."""
        estimate = self.estimate
        return panels_id(
            self.panel_names,
            tuple(status.value for status in estimate.status),
            tuple(estimate.n_reflections.tolist()),
            estimate.correction.values,
            estimate.sigma[:, estimate.freedom.free],
        )

    @property
    def report_id(self) -> str:
        """The name of what the report says, without what people call the datasets."""
        report = to_content(from_content(Report, to_content(self.report)))
        for dataset in report["datasets"]:
            del dataset["name"]
        for misfit in report.get("misfits", ()):
            del misfit["name"]
        return content_id({"format": "calib/report/1", **report})

    def content(self) -> dict[str, Any]:
        """What makes this calibration this calibration, for the canonical form."""
        return calibration_content(
            serial=self.serial,
            layout_id=self.layout_id,
            distances_mm=self.distances_mm,
            freedom=self.estimate.freedom,
            panels_id=self.panels_id,
            covariance_sha256=self.covariance_sha256,
            parameters=self.parameters,
            code_version=self.code_version,
            report_id=self.report_id,
            acceptance=self.acceptance,
        )

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
    """Somebody stands for it, and it answers at some time and distance."""
    SUPERSEDED = "superseded"
    """Somebody stands for it, but later certifications cover all of that."""
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
    stored: ChangeStamp
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
    stored: ChangeStamp
    accepted: bool
    """Whether it passed acceptance when it was derived."""


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
    recorded: ChangeStamp
    withdrawn: ChangeStamp | None
    """When it was withdrawn, by whom."""
    withdrawn_reason: str
    gap_mm: float = 0.0
    """How far beyond the distances it answers where the nearest one is asked for."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.gap_mm < math.inf:
            raise InputError(
                "bad-gap",
                f"a gap of {self.gap_mm} mm beyond the distances is none.",
                remedy="a number from 0 on.",
            )
        if self.distances.maximum_mm == math.inf:
            raise InputError(
                "endless-range",
                "the distances have no end.",
                remedy="give a maximum in mm.",
            )


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
    applied: ChangeStamp

    @property
    def id(self) -> str:
        """The name of the receipt, under which it is recorded once."""
        return content_id({"format": "calib/application/1", **to_content(self)})
