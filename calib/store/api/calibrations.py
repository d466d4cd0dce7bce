"""Calibrations: the results of derivations, with what they were derived from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from calib.model.detector.correction import Correction
from calib.model.result.summary import SummaryFile
from calib.model.store.amendment import Relabelling
from calib.model.store.log import LATEST
from calib.model.store.provenance import Provenance
from calib.model.store.record import (
    CalibrationLine,
    CalibrationRecord,
    Certification,
    ChangeStamp,
    DetectorRecord,
    StoredCalibration,
)
from calib.store.api.entity import EntityApi, read, write
from calib.store.records import calibrations, certifications, detectors, relabellings
from calib.store.records.artifacts import read_provenance
from calib.store.records.derivations import add_derivation
from calib.store.records.references import find_position, position_of


class CalibrationApi(EntityApi):
    """Add, find and list calibrations."""

    @write
    def add(
        self,
        record: CalibrationRecord,
        starts: Sequence[datetime | None],
        stamp: ChangeStamp,
        new_detector: DetectorRecord | None = None,
        summaries: Sequence[SummaryFile | None] = (),
        provenance: Provenance | None = None,
    ) -> tuple[StoredCalibration, bool]:
        """Record a derivation with everything it depends on, in one transaction.

        ``starts`` are the times at which the datasets of the report were taken, None where
        unknown; ``new_detector`` is registered where the store does not know it; ``summaries`` are
        those of the report's datasets, as far as it names them; ``provenance`` is the machine and
        the input files. A derivation that is recorded already is returned unchanged, with False.
        Raises ``NotFoundError`` for an unknown detector and ``LayoutError`` where the calibration
        belongs to another layout.
        """
        with self._database.writing() as connection:
            return add_derivation(
                connection, record, starts, stamp, new_detector, summaries, provenance
            )

    @read
    def get(
        self, reference: str, serial: str | None = None, known_at: int = LATEST
    ) -> StoredCalibration:
        """The calibration with the name ``SERIAL:VERSION``, or whose id begins with these 8 or more
        characters, or with this version where ``serial`` is given or the store holds one detector;
        in its state as of a position of the log."""
        with self._database.reading() as connection:
            position = find_position(connection, reference, serial)
            return calibrations.read_calibration(connection, position, known_at)

    @read
    def list(
        self, serial: str | None = None, known_at: int = LATEST, limit: int | None = None
    ) -> Sequence[CalibrationLine]:
        """The calibrations of a detector, or of all, by serial and version, in their states as of a
        position of the log; with a limit those that were stored last."""
        with self._database.reading() as connection:
            detector = None
            if serial is not None:
                detector = detectors.detector_position(connection, serial)
            return calibrations.read_lines(connection, detector, known_at, limit)

    @read
    def corrections(self, serial: str) -> Sequence[tuple[str, Correction]]:
        """Every correction of a detector with the name of its calibration, newest first."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return calibrations.read_corrections(connection, detector)

    @read
    def provenance(self, calibration_id: str) -> Provenance | None:
        """The machine and input files of a calibration's first derivation; None where they were not
        recorded."""
        with self._database.reading() as connection:
            position = position_of(connection, calibration_id)
            return None if position is None else read_provenance(connection, position)

    @write
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
    ) -> tuple[Relabelling, Sequence[Certification], Sequence[Certification]]:
        """Record a calibration under the right serial and withdraw the one under the wrong one, in
        one transaction; the other arguments are those of ``add``. The times of its datasets stay.

        ``certify`` are certifications to record of the new calibration, whatever their version.
        Returns the relabelling, the certifications that were withdrawn, and those recorded. Raises
        what ``add`` and certifying raise, and ``InputError`` (``relabelled``) for a calibration
        that was recorded under another serial before.
        """
        with self._database.writing() as connection:
            wrong = position_of(connection, relabelling.calibration_id)
            starts = [] if wrong is None else calibrations.read_starts(connection, wrong)
            stored, _ = add_derivation(
                connection, record, starts, stamp, new_detector, summaries, provenance
            )
            withdrawn = certifications.withdraw_all(
                connection, relabelling.calibration_id, relabelling.reason, stamp
            )
            done = relabellings.add_relabelling(connection, relabelling, stamp)
            certified = [
                certifications.add_certification(
                    connection, replace(one, version=stored.version), supersede=supersede
                )
                for one in certify
            ]
            return done, withdrawn, certified

    @read
    def refuse_relabelled(self, calibration_id: str, name: str) -> None:
        """Raise ``InputError`` (``relabelled``) for a calibration that was recorded under another
        serial; ``name`` is that of the calibration."""
        with self._database.reading() as connection:
            position = position_of(connection, calibration_id)
            if position is not None:
                relabellings.refuse_relabelled(connection, position, name)

    @read
    def relabellings(self, serial: str, known_at: int = LATEST) -> Sequence[Relabelling]:
        """The calibrations that were recorded under this serial by mistake, newest first, as of a
        position of the log."""
        with self._database.reading() as connection:
            return relabellings.read_relabellings(connection, serial, known_at)
