"""Certifications: for which times and distances a named person certifies a calibration."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.certification_rules import Consequences
from calib.model.store.log import LATEST
from calib.model.store.record import Certification, ChangeStamp
from calib.store.api.entity import EntityApi, read, write
from calib.store.log.verification import verify_certifications
from calib.store.records import certifications, detectors
from calib.store.resolve import impact


class CertificationApi(EntityApi):
    """Certify, withdraw, list, and preview the consequences."""

    @write
    def certify(self, certification: Certification, *, supersede: bool = False) -> Certification:
        """Record a certification; returns it with its number.

        A draft needs an override (``not-accepted``). One that is recorded already, with the same
        times, distances and extrapolation limit, is refused where it would change nothing
        (``certified-already``). A later start over an open-ended certification is a succession;
        any other change to what resolves today is refused (``overlap``) unless ``supersede`` is
        set.
        """
        with self._database.writing() as connection:
            return certifications.add_certification(connection, certification, supersede=supersede)

    @write
    def withdraw(
        self, which: str | int, reason: str, stamp: ChangeStamp
    ) -> Sequence[Certification]:
        """Withdraw one certification (its number) or all of a calibration (its whole id).

        Returns the withdrawn ones; raises ``NotFoundError`` (``not-certified``) if there are none.
        """
        with self._database.writing() as connection:
            return certifications.add_withdrawals(connection, which, reason, stamp)

    @read
    def list(self, serial: str, known_at: int = LATEST) -> Sequence[Certification]:
        """A detector's certifications, including withdrawn ones, newest first, as of a position of
        the log."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            verify_certifications(connection, detector, serial)
            return certifications.read_certifications(
                connection, certifications.of_detector(detector), known_at
            )

    @read
    def preview_certify(self, certification: Certification) -> Consequences:
        """What a certification would change."""
        with self._database.reading() as connection:
            return impact.of_certifying(connection, certification)

    @read
    def preview_withdraw(self, which: str | int) -> tuple[Sequence[Certification], Consequences]:
        """Which certifications would be withdrawn, and what that would change."""
        with self._database.reading() as connection:
            return impact.of_withdrawing(connection, which)

    @read
    def consequences(self, position: int) -> Consequences:
        """What the certification or withdrawal at a position of the log changed."""
        with self._database.reading() as connection:
            return impact.of_position(connection, position)
