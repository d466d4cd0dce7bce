"""Records of a store: detectors, calibrations, certifications, applications."""

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
from calib.model.base.zones import TimeZones
from calib.model.detector.correction import CorrectionEstimate, Freedom
from calib.model.detector.layout import Layout
from calib.model.result.report import NARROW, Acceptance, Report
from calib.model.store.validity import DistanceRange, Validity


@dataclass(frozen=True, slots=True)
class ChangeStamp:
    """Who changed something, when, and on which machine."""

    at: datetime
    """UTC."""
    actor: str
    """Login name, or the name given by ``CALIB_ACTOR`` or ``--by``."""
    host: str
    command: str = ""
    """The command line with passwords hidden; empty if the library was used directly."""
    reason: str = ""

    @property
    def signature(self) -> ChangeStamp:
        """Only who, when and where, as rows and receipts keep it; the log keeps the rest."""
        return ChangeStamp(self.at, self.actor, self.host)


@dataclass(frozen=True, slots=True, eq=False)
class DetectorRecord:
    """One physical detector."""

    serial: str
    layout: Layout
    """The nominal panels."""
    time_zone: str
    """IANA name; times without an offset are read in this zone."""
    description: str
    """The identifier in the file it was registered from, or a typed description."""
    layout_name: str = ""
    """A name given to the model, for panels that are not those of a known family."""
    earlier_zones: tuple[tuple[datetime, str], ...] = ()
    """(end, zone): the zones of times before an instant in UTC, ascending."""

    @property
    def zones(self) -> TimeZones:
        """The zones in which times without an offset are read."""
        return TimeZones(self.time_zone, self.earlier_zones)

    @property
    def layout_id(self) -> str:
        """The hash of the layout."""
        return content_id(self.layout.identity())


def panels_id(
    names: tuple[str, ...],
    status: tuple[str, ...],
    n_reflections: tuple[int, ...],
    values: Floats,
    sigmas: Floats,
) -> str:
    """The hash of n panel rows: ``values`` (n, 6) and ``sigmas`` (n, f) of the free parameters,
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
    """The content whose hash is the id of a calibration. Panels, covariance and report enter by
    their own hashes, so that each can be read and verified without the others."""
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
    """The result of a derivation. Its id is the hash of its content, which does not include
    version, times, actor and paths."""

    serial: str
    layout_id: str
    distances_mm: tuple[float, ...]
    """The distances of the datasets, ascending; those within 1 % of one another count as one."""
    panel_names: tuple[str, ...]
    estimate: CorrectionEstimate
    parameters: Mapping[str, Any]
    """The options of the solver."""
    code_version: str
    report: Report
    acceptance: Acceptance

    @property
    def method(self) -> int:
        """The oldest version of the method among its datasets."""
        return min((use.method for use in self.report.datasets), default=NARROW)

    @property
    def covariance_sha256(self) -> str:
        """The hash of the covariance artifact's bytes."""
        return hashlib.sha256(self.estimate.covariance_bytes()).hexdigest()

    @property
    def panels_id(self) -> str:
        """The hash of the panel rows."""
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
        """The hash of the report without the names of datasets."""
        report = to_content(from_content(Report, to_content(self.report)))
        for dataset in report["datasets"]:
            del dataset["name"]
        for misfit in report.get("misfits", ()):
            del misfit["name"]
        return content_id({"format": "calib/report/1", **report})

    def content(self) -> dict[str, Any]:
        """The content that identifies this calibration, for the canonical form."""
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
    """The state of a calibration; derived from the records, never stored."""

    DRAFT = "draft"
    """It failed the acceptance criteria."""
    ACCEPTED = "accepted"
    """It passed the acceptance criteria and is not certified."""
    CERTIFIED = "certified"
    """It is certified, and applies at some time and distance."""
    SUPERSEDED = "superseded"
    """It was certified, but later certifications cover its whole range."""
    WITHDRAWN = "withdrawn"
    """All its certifications were withdrawn, or it was recorded again under another serial."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredCalibration:
    """A calibration as stored in one store."""

    record: CalibrationRecord
    id: str
    """Verified against the record when read."""
    version: int
    """Numbered from 1 for each detector, without gaps."""
    stored: ChangeStamp
    """When and by whom it was first stored."""
    state: State
    starts: tuple[datetime, ...]
    """When the datasets were taken, if known, ascending."""

    @property
    def name(self) -> str:
        """``SERIAL:VERSION``."""
        return f"{self.record.serial}:{self.version}"


@dataclass(frozen=True, slots=True)
class CalibrationLine:
    """A calibration without its panels, for lists."""

    serial: str
    version: int
    id: str
    state: State
    distances_mm: tuple[float, ...]
    freedom: str
    n_reflections: int
    stored: ChangeStamp
    accepted: bool
    """Whether it passed the acceptance criteria."""


@dataclass(frozen=True, slots=True)
class Certification:
    """A named person's statement that a calibration is valid for a time and distance range."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    calibration_id: str
    serial: str
    version: int
    validity: Validity
    distances: DistanceRange
    reason: str
    override: str
    """Why a calibration that failed acceptance is certified nevertheless; empty otherwise."""
    recorded: ChangeStamp
    withdrawn: ChangeStamp | None
    """When and by whom it was withdrawn."""
    withdrawn_reason: str
    gap_mm: float = 0.0
    """Extrapolation limit: how far beyond its distances it may be used as the nearest one."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.gap_mm < math.inf:
            raise InputError(
                "bad-gap",
                f"the extrapolation limit of {self.gap_mm} mm is not a finite number from 0 on.",
                remedy="a number from 0 on.",
            )
        if self.distances.maximum_mm == math.inf:
            raise InputError(
                "endless-range",
                "the distance range has no upper limit.",
                remedy="give a maximum in mm.",
            )


@dataclass(frozen=True, slots=True)
class Application:
    """A calibration applied to a file. The hash of its content is the id of the receipt."""

    serial: str
    calibration_id: str
    version: int
    input_sha256: tuple[str, ...]
    """Experiments first, then reflections if given."""
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
        """The id of the receipt; each is recorded once."""
        return content_id({"format": "calib/application/1", **to_content(self)})
