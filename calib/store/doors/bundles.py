"""The store's door: moving between stores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calib.store import detectors, schema
from calib.store.doors.door import Door
from calib.store.references import position_of
from calib.store.tables import ORIGIN

if TYPE_CHECKING:
    from calib.model.bundle import Bundle
    from calib.model.origin import Loaded, OriginEntry
    from calib.model.record import Deed


class BundleDoor(Door):
    """Detectors and calibrations that travel, seldom: what it takes is loaded then."""

    def bundle(
        self, serial: str, calibration_id: str | None = None, *, with_usage: bool = False
    ) -> Bundle:
        """Everything of a detector, or of the one of its calibrations with that id.

        Without ``with_usage`` actors, hosts, commands, paths and applications stay at home.
        """
        from calib.store.bundling import collected

        with self._database.reading() as connection:
            # A newer store's rows and log speak of columns that this program does not know.
            schema.check_revision(schema.revision_of(connection), self._database.location)
            detectors.detector_position(connection, serial)
            position = None if calibration_id is None else position_of(connection, calibration_id)
            return collected(connection, serial, position, with_usage=with_usage)

    def load_bundle(
        self,
        bundle: Bundle,
        deed: Deed,
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
        from calib.store.laid_out import rehearsal, unpacked
        from calib.store.unbundling import load

        bundle.verify()
        # Laid out before the write begins: other writers wait for what is written here alone.
        written = rehearsal(self._database, bundle.serial) if dry_run else self._database.writing()
        with unpacked(bundle) as origin, written as connection:
            return load(connection, origin, bundle, deed, adopt=adopt, supersede=supersede)

    def origins(
        self, *, serial: str | None = None, calibration_id: str | None = None
    ) -> list[OriginEntry]:
        """What bundles told of a detector or a calibration, in the order of its own record."""
        from calib.store.origins import read_origins

        with self._database.reading() as connection:
            which = ORIGIN.c.calibration_id == calibration_id
            if serial is not None:
                which = ORIGIN.c.detector == detectors.detector_position(connection, serial)
            return read_origins(connection, which)
