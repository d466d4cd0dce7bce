"""The store's door: one class; only frozen values of ``calib.model`` go in and come out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, select

from calib.errors import InputError, LayoutError
from calib.model.correction import Correction
from calib.model.record import (
    Application,
    CalibrationLine,
    CalibrationRecord,
    Certification,
    Deed,
    DetectorRecord,
    StoredCalibration,
)
from calib.store import calibrations, certifications, detectors, schema
from calib.store.applications import add_application, read_applications
from calib.store.database import WAIT_SECONDS, Database, existing_file
from calib.store.deeds import add_deed
from calib.store.failure import read_only
from calib.store.location import Location, chosen_location, default_location
from calib.store.references import find_position
from calib.store.resolver import find_certification
from calib.store.tables import CALIBRATION


class Store:
    """One store, open. Every method that writes takes the deed: who, when, where."""

    def __init__(self, database: Database) -> None:
        """Use ``Store.open``."""
        self._database = database

    # opening and making

    @staticmethod
    def open(
        location: str | Path | Location | None = None,
        *,
        read_only: bool = False,
        wait_seconds: float = WAIT_SECONDS,
    ) -> Store:
        """The store at a path or address; where None is given, at ``CALIB_STORE`` or the default.

        Only the default is made where it does not exist. Raises ``InputError`` (``no-store``,
        ``not-a-store``, ``store-newer``, ``store-older``) and ``StoreError``.
        """
        place = location if isinstance(location, Location) else chosen_location(location)
        if place.path is not None and not existing_file(place):
            if place != default_location():
                raise InputError(
                    "no-store",
                    "there is no store here.",
                    place=place.shown,
                    remedy=f"calib init {place.option}.",
                )
            Store.create(place)
        database = Database(place, read_only=read_only, wait_seconds=wait_seconds)
        try:
            schema.check_revision(schema.revision_at(database), place)
        except BaseException:
            database.close()
            raise
        return Store(database)

    @staticmethod
    def create(location: str | Path | Location) -> bool:
        """Make an empty store; False where one of today's revision is there already.

        Raises ``InputError`` where something else is there, or a store of another revision.
        """
        return schema.create(_place(location))

    @staticmethod
    def upgrade(location: str | Path | Location) -> tuple[str, str]:
        """Carry an older store to today's revision, whole or not at all; (from, to)."""
        return schema.upgrade(_place(location))

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def location(self) -> Location:
        """Where the store lies."""
        return self._database.location

    @property
    def read_only(self) -> bool:
        """Whether writing is known to be refused (a Postgres role may refuse it only then)."""
        return self._database.read_only

    def require_writable(self) -> None:
        """Raise ``StoreReadOnlyError`` where writing is known to be refused, before long work."""
        if self.read_only:
            raise read_only(self.location)

    # detectors

    def add_detector(self, record: DetectorRecord, deed: Deed) -> bool:
        """Register a detector; False where it is registered with this layout already.

        Raises ``LayoutError`` where it is registered with another one.
        """
        with self._database.writing() as connection:
            known = detectors.find_detector(connection, record.serial)
            if known is not None:
                detectors.check_same(known[1], record)
                return False
            position, _ = add_deed(connection, deed)
            detectors.insert_detector(connection, position, record)
            return True

    def detector(self, serial: str) -> DetectorRecord:
        """The detector; ``NotFoundError`` lists those that the store knows."""
        with self._database.reading() as connection:
            return detectors.read_detector(connection, serial)[1]

    def detectors(self) -> list[DetectorRecord]:
        """All detectors, by serial."""
        with self._database.reading() as connection:
            return detectors.read_detectors(connection)

    # calibrations

    def add_calibration(
        self,
        record: CalibrationRecord,
        starts: Sequence[datetime | None],
        deed: Deed,
        new_detector: DetectorRecord | None = None,
    ) -> tuple[StoredCalibration, bool]:
        """Record a derivation with all that it rests on, whole or not at all.

        ``starts`` says when each dataset of the report was taken, None where unknown;
        ``new_detector`` is registered where the store does not know it. What was recorded before
        is returned as it is, with False. Raises ``NotFoundError`` for an unknown detector and
        ``LayoutError`` where the calibration belongs to another layout.
        """
        _check(record, starts, new_detector)
        with self._database.writing() as connection:
            there = _position(connection, record.id)
            if there is not None:
                return calibrations.read_calibration(connection, there), False
            known = detectors.find_detector(connection, record.serial)
            if known is None and new_detector is None:
                raise detectors.unknown_detector(connection, record.serial)
            if known is not None and new_detector is not None:
                detectors.check_same(known[1], new_detector)
            detector = known[1] if known is not None else new_detector
            if detector is None or detector.layout_id != record.layout_id:
                raise LayoutError(
                    "other-layout",
                    f"the calibration is of another layout than the registered detector "
                    f"{record.serial}.",
                    remedy="derive it with the layout that the store gives for this serial.",
                )
            position, _ = add_deed(connection, deed)
            if known is None:
                detectors.insert_detector(connection, position, detector)
            calibrations.insert_calibration(
                connection, position, known[0] if known is not None else position, record, starts
            )
            # Read back before the commit: what cannot be verified is never stored.
            return calibrations.read_calibration(connection, position), True

    def calibration(self, reference: str, serial: str | None = None) -> StoredCalibration:
        """The calibration called ``SERIAL:VERSION``, by 8 or more characters of its id, or by its
        version where ``serial`` is given or the store holds one detector."""
        with self._database.reading() as connection:
            position = find_position(connection, reference, serial)
            return calibrations.read_calibration(connection, position)

    def calibrations(self, serial: str | None = None) -> list[CalibrationLine]:
        """The calibrations of a detector, or of all, by serial and version."""
        with self._database.reading() as connection:
            detector = None
            if serial is not None:
                detector = detectors.detector_position(connection, serial)
            return calibrations.read_lines(connection, detector)

    def known_corrections(self, serial: str) -> list[tuple[str, Correction]]:
        """Every correction of a detector with its calibration's name, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return calibrations.read_corrections(connection, detector)

    # certifications

    def certify(self, certification: Certification) -> Certification:
        """Record somebody's word; as recorded. A draft needs an override (``not-accepted``)."""
        with self._database.writing() as connection:
            return certifications.add_certification(connection, certification)

    def withdraw(self, which: str | int, reason: str, deed: Deed) -> list[Certification]:
        """Take back one certification (its number) or all of a calibration's (its whole id).

        Returns what was taken back; ``NotFoundError`` (``not-certified``) where nothing is live.
        """
        with self._database.writing() as connection:
            return certifications.add_withdrawals(connection, which, reason, deed)

    def certifications(self, serial: str) -> list[Certification]:
        """A detector's certifications, withdrawn ones as well, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return certifications.read_certifications(
                connection, certifications.of_detector(detector)
            )

    def resolve(
        self, serial: str, at: datetime, distance_mm: float
    ) -> tuple[StoredCalibration, Certification]:
        """What is certified for an instant and a distance; ``NotFoundError`` names the nearest
        certified interval and the command that would extend it."""
        with self._database.reading() as connection:
            found = find_certification(connection, serial, at, distance_mm)
            position = _position(connection, found.calibration_id)
            assert position is not None  # noqa: S101
            return calibrations.read_calibration(connection, position), found

    # applications

    def record_application(self, application: Application, deed: Deed | None = None) -> bool:
        """Record a receipt, once; False where it is recorded. ``deed`` is the recording's own
        where that happens later than the application."""
        with self._database.writing() as connection:
            return add_application(connection, application, deed or application.applied)

    def applications(
        self, serial: str | None = None, calibration_id: str | None = None
    ) -> list[Application]:
        """What was applied, in the order of the record."""
        with self._database.reading() as connection:
            return read_applications(connection, serial, calibration_id)


def _place(location: str | Path | Location) -> Location:
    return location if isinstance(location, Location) else Location.parse(location)


def _position(connection: Connection, calibration_id: str) -> int | None:
    found: int | None = connection.execute(
        select(CALIBRATION.c.position).where(CALIBRATION.c.id == calibration_id)
    ).scalar()
    return found


def _check(
    record: CalibrationRecord,
    starts: Sequence[datetime | None],
    new_detector: DetectorRecord | None,
) -> None:
    if len(starts) != len(record.report.datasets):
        raise InputError(
            "bad-shape",
            f"{len(starts)} times for the {len(record.report.datasets)} datasets of the report.",
        )
    if len(record.panel_names) != len(record.estimate.status):
        raise InputError(
            "bad-shape",
            f"{len(record.panel_names)} names for {len(record.estimate.status)} panels.",
        )
    if new_detector is not None and new_detector.serial != record.serial:
        raise InputError(
            "serial-contradicts",
            f"a calibration of {record.serial} cannot register {new_detector.serial}.",
        )
