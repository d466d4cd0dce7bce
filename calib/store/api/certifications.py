"""The store's door: certifications, what they change, and what they answer."""

from __future__ import annotations

from datetime import datetime

from calib.model.store.certification_rules import Consequences
from calib.model.store.record import Certification, ChangeStamp
from calib.model.store.resolution import DistancePolicy, Query, Resolution, TimePolicy
from calib.store.api.entity import Door
from calib.store.records import certifications, detectors
from calib.store.records.certifications import LATEST
from calib.store.resolve import impact
from calib.store.resolve.resolve import resolve


class CertificationDoor(Door):
    """By whose word a calibration holds when, and for which distances."""

    def certify(self, certification: Certification, *, supersede: bool = False) -> Certification:
        """Record somebody's word; as recorded.

        A draft needs an override (``not-accepted``). Certifying from a later start over an
        open-ended certification is succession; where any other answer would change, that is
        refused (``overlap``) unless ``supersede`` is set.
        """
        with self._database.writing() as connection:
            return certifications.add_certification(connection, certification, supersede=supersede)

    def withdraw(self, which: str | int, reason: str, stamp: ChangeStamp) -> list[Certification]:
        """Take back one certification (its number) or all of a calibration's (its whole id).

        Returns what was taken back; ``NotFoundError`` (``not-certified``) where nothing is live.
        """
        with self._database.writing() as connection:
            return certifications.add_withdrawals(connection, which, reason, stamp)

    def certifications(self, serial: str, known_at: int = LATEST) -> list[Certification]:
        """A detector's certifications, withdrawn ones as well, newest first, as known at a position
        of the log."""
        with self._database.reading() as connection:
            detector = detectors.detector_position(connection, serial)
            return certifications.read_certifications(
                connection, certifications.of_detector(detector), known_at
            )

    def would_certify(self, certification: Certification) -> Consequences:
        """What a certification would change."""
        with self._database.reading() as connection:
            return impact.of_certifying(connection, certification)

    def would_withdraw(self, which: str | int) -> tuple[list[Certification], Consequences]:
        """What would be withdrawn, and what that would change: what holds again, if anything."""
        with self._database.reading() as connection:
            return impact.of_withdrawing(connection, which)

    def consequences(self, position: int) -> Consequences:
        """What the certification or withdrawal at a position of the log changed."""
        with self._database.reading() as connection:
            return impact.of_position(connection, position)

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
        """The one stored calibration that answers for a detector, an instant and a distance, as
        known at a position of the log; with ``explain`` also why the others do not.

        ``NotFoundError`` (``not-certified``) names the nearest certified interval and the command
        that would extend it.
        """
        with self._database.reading() as connection:
            query = Query(serial, at, distance_mm, as_known_at, distance_policy, time_policy)
            return resolve(connection, query, explain=explain)
