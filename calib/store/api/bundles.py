"""The store's door: moving between stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calib.store.api.entity import Door
from calib.store.records import detectors
from calib.store.records.references import position_of
from calib.store.schema import revision
from calib.store.schema.tables import ORIGIN

if TYPE_CHECKING:
    from calib.model.store.bundle import Bundle, Loaded, OriginEntry
    from calib.model.store.record import ChangeStamp


class BundleDoor(Door):
    """Detectors and calibrations that travel, seldom: what it takes is loaded then."""

    def bundle(
        self, serial: str, calibration_id: str | None = None, *, with_usage: bool = False
    ) -> Bundle:
        """Everything of a detector, or of the one of its calibrations with that id.

        Without ``with_usage`` actors, hosts, commands, paths and applications stay at home.
        """
        from calib.store.bundle.export import collected

        with self._database.reading() as connection:
            # A newer store's rows and log speak of columns that this program does not know.
            revision.check_revision(revision.revision_of(connection), self._database.location)
            detectors.detector_position(connection, serial)
            position = None if calibration_id is None else position_of(connection, calibration_id)
            return collected(connection, serial, position, with_usage=with_usage)

    def load_bundle(
        self,
        bundle: Bundle,
        stamp: ChangeStamp,
        *,
        adopt: bool = False,
        supersede: bool = False,
        dry_run: bool = False,
    ) -> Loaded:
        """Record what a bundle carries and this store does not have yet, whole or not at all.

        Its certifications arrive as history; they hold here only with ``adopt``, under the same
        law as all others (``supersede``). ``dry_run`` goes through all of it beside the store,
        which need not be writable.
        """
        from calib.store.bundle.load import load
        from calib.store.bundle.scratch_store import rehearsal, unpacked

        bundle.verify()
        # Laid out before the write begins: other writers wait for what is written here alone.
        written = rehearsal(self._database, bundle.serial) if dry_run else self._database.writing()
        with unpacked(bundle) as origin, written as connection:
            return load(connection, origin, bundle, stamp, adopt=adopt, supersede=supersede)

    def origins(
        self, *, serial: str | None = None, calibration_id: str | None = None
    ) -> list[OriginEntry]:
        """What bundles told of a detector or a calibration, in the order of its own record."""
        from calib.store.records.origins import read_origins

        with self._database.reading() as connection:
            which = ORIGIN.c.calibration_id == calibration_id
            if serial is not None:
                which = ORIGIN.c.detector == detectors.detector_position(connection, serial)
            return read_origins(connection, which)
