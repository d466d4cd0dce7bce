"""``StoreLike``: what flows require of a store, as atomic acts on model values.

``calib.store.store.Store`` satisfies it with a database; a client of a remote store can take its
place. Each act is one transaction or one consistent read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from calib.model.store.log import LATEST
from calib.model.store.resolution import DistancePolicy, TimePolicy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from calib.model.detector.correction import Correction
    from calib.model.result.summary import SummaryFile
    from calib.model.store.amendment import DetectorEdit, Relabelling, Retirement
    from calib.model.store.bundle import Bundle, Loaded, OriginEntry
    from calib.model.store.certification_rules import Consequences
    from calib.model.store.log import Audit, ChainHead, ClockCorrection, Entry, LogHead, Moment
    from calib.model.store.placement import BeamlinePlacement
    from calib.model.store.provenance import Provenance
    from calib.model.store.record import (
        Application,
        CalibrationLine,
        CalibrationRecord,
        Certification,
        ChangeStamp,
        DetectorRecord,
        StoredCalibration,
    )
    from calib.model.store.resolution import Resolution
    from calib.model.store.rule import Rule
    from calib.model.store.shared_layout import SharedLayout
    from calib.model.store.signing import RecordedCheckpoint


class Detectors(Protocol):
    """Registered detectors."""

    def add(self, record: DetectorRecord, stamp: ChangeStamp) -> bool: ...
    def preview_add(self, record: DetectorRecord) -> bool: ...
    def get(self, serial: str) -> DetectorRecord: ...
    def list(self) -> Sequence[DetectorRecord]: ...
    def edit(self, edit: DetectorEdit, stamp: ChangeStamp) -> DetectorEdit: ...
    def preview_edit(self, edit: DetectorEdit) -> DetectorRecord: ...
    def edits(self, serial: str, known_at: int = LATEST) -> Sequence[DetectorEdit]: ...
    def retire(self, retirement: Retirement, stamp: ChangeStamp) -> Retirement: ...
    def retirements(self, serial: str, known_at: int = LATEST) -> Sequence[Retirement]: ...


class Calibrations(Protocol):
    """Derivations and their results."""

    def add(
        self,
        record: CalibrationRecord,
        starts: Sequence[datetime | None],
        stamp: ChangeStamp,
        new_detector: DetectorRecord | None = None,
        summaries: Sequence[SummaryFile | None] = (),
        provenance: Provenance | None = None,
    ) -> tuple[StoredCalibration, bool]: ...
    def get(
        self, reference: str, serial: str | None = None, known_at: int = LATEST
    ) -> StoredCalibration: ...
    def list(
        self, serial: str | None = None, known_at: int = LATEST, limit: int | None = None
    ) -> Sequence[CalibrationLine]: ...
    def corrections(self, serial: str) -> Sequence[tuple[str, Correction]]: ...
    def provenance(self, calibration_id: str) -> Provenance | None: ...
    def relabel(
        self,
        relabelling: Relabelling,
        record: CalibrationRecord,
        stamp: ChangeStamp,
        new_detector: DetectorRecord | None = None,
        summaries: Sequence[SummaryFile | None] = (),
        provenance: Provenance | None = None,
        certify: Sequence[Certification] = (),
        *,
        supersede: bool = False,
    ) -> tuple[Relabelling, Sequence[Certification], Sequence[Certification]]: ...
    def refuse_relabelled(self, calibration_id: str, name: str) -> None: ...
    def relabellings(self, serial: str, known_at: int = LATEST) -> Sequence[Relabelling]: ...


class Summaries(Protocol):
    """Normal equations of the datasets of calibrations."""

    def read(self, stored: StoredCalibration) -> tuple[SummaryFile | None, ...]: ...


class Certifications(Protocol):
    """Certifications and withdrawals."""

    def certify(
        self, certification: Certification, *, supersede: bool = False
    ) -> Certification: ...
    def withdraw(
        self, which: str | int, reason: str, stamp: ChangeStamp
    ) -> Sequence[Certification]: ...
    def list(self, serial: str, known_at: int = LATEST) -> Sequence[Certification]: ...
    def preview_certify(self, certification: Certification) -> Consequences: ...
    def preview_withdraw(
        self, which: str | int
    ) -> tuple[Sequence[Certification], Consequences]: ...
    def consequences(self, position: int) -> Consequences: ...


class Applications(Protocol):
    """Which file was corrected with which calibration."""

    def record(self, application: Application, stamp: ChangeStamp | None = None) -> bool: ...
    def record_all(self, applications: Sequence[Application], stamp: ChangeStamp) -> int: ...
    def preview_record(self, application: Application) -> bool: ...
    def list(
        self,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> Sequence[Application]: ...


class Placements(Protocol):
    """Beamlines at which detectors are installed."""

    def place(self, placement: BeamlinePlacement, stamp: ChangeStamp) -> BeamlinePlacement: ...
    def list(self, serial: str, known_at: int = LATEST) -> Sequence[BeamlinePlacement]: ...


class Layouts(Protocol):
    """Layouts of detectors that all users of the store share."""

    def add(self, layout: SharedLayout, stamp: ChangeStamp) -> SharedLayout: ...
    def list(self) -> Sequence[SharedLayout]: ...


class Rules(Protocol):
    """What the store demands of its users."""

    def set(self, rule: Rule) -> Rule | None: ...
    def list(self) -> Sequence[Rule]: ...


class Bundles(Protocol):
    """Detectors and calibrations that are moved between stores."""

    def export(
        self, serial: str, calibration_id: str | None = None, *, with_usage: bool = False
    ) -> Bundle: ...
    def load(
        self, bundle: Bundle, stamp: ChangeStamp, *, adopt: bool = False, supersede: bool = False
    ) -> Loaded: ...
    def preview_load(
        self, bundle: Bundle, stamp: ChangeStamp, *, adopt: bool = False, supersede: bool = False
    ) -> Loaded: ...
    def origins(
        self,
        *,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> Sequence[OriginEntry]: ...


class Log(Protocol):
    """The log of all changes, and checkpoints of other logs."""

    def entries(self, serial: str | None = None, last: int | None = None) -> Sequence[Entry]: ...
    def entries_at(self, times: Sequence[datetime]) -> Sequence[Entry]: ...
    def moment(self, when: datetime | int | None = None) -> Moment: ...
    def heads(self, chains: Sequence[str] | None = None) -> tuple[ChainHead, ...]: ...
    def head(self, position: int = LATEST) -> LogHead: ...
    def audit(self, checkpoint: Sequence[ChainHead] = ()) -> Audit: ...
    def add_checkpoint(
        self, checkpoint: RecordedCheckpoint, stamp: ChangeStamp
    ) -> RecordedCheckpoint: ...
    def checkpoints(self) -> Sequence[RecordedCheckpoint]: ...
    def preview_clock(self, stamp: ChangeStamp) -> ClockCorrection: ...
    def correct_clock(self, stamp: ChangeStamp) -> ClockCorrection: ...


class StoreLike(Protocol):
    """A store as flows see it."""

    @property
    def address(self) -> str:
        """The path or address as messages show it, without a password."""

    @property
    def files(self) -> Sequence[Path]:
        """The files of the store, which no output may overwrite; none for a server."""

    @property
    def read_only(self) -> bool:
        """Whether writing is known to be refused."""

    @property
    def detectors(self) -> Detectors: ...
    @property
    def calibrations(self) -> Calibrations: ...
    @property
    def summaries(self) -> Summaries: ...
    @property
    def certifications(self) -> Certifications: ...
    @property
    def applications(self) -> Applications: ...
    @property
    def placements(self) -> Placements: ...
    @property
    def layouts(self) -> Layouts: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def bundles(self) -> Bundles: ...
    @property
    def log(self) -> Log: ...

    def resolve(
        self,
        serial: str,
        at: datetime,
        distance_mm: float,
        *,
        as_known_at: int | datetime | None = None,
        distance_policy: DistancePolicy = DistancePolicy.EXACT,
        time_policy: TimePolicy = TimePolicy.PRIOR,
        explain: bool = False,
    ) -> Resolution:
        """The one calibration that applies to a detector, a time and a distance."""

    def require_writable(self, at: datetime | None = None) -> None:
        """Raise ``StoreReadOnlyError`` where writing will be refused, and ``StoreError`` where a
        change at this time would be, before long work."""
