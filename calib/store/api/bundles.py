"""Bundles: detectors and calibrations with their history, moved between stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from calib.model.store.log import LATEST
from calib.store.api.entity import EntityApi, read, write
from calib.store.records import detectors
from calib.store.records.references import position_of
from calib.store.schema import revision
from calib.store.schema.tables import ORIGIN

if TYPE_CHECKING:
    from calib.model.store.bundle import Bundle, Loaded, OriginEntry
    from calib.model.store.record import ChangeStamp


class BundleApi(EntityApi):
    """Export and load bundles. The modules for this are imported when they are needed."""

    @read
    def export(
        self, serial: str, calibration_id: str | None = None, *, with_usage: bool = False
    ) -> Bundle:
        """A bundle of everything of a detector, or of the one calibration with that id.

        Actors, hosts, commands, paths and applications are included only ``with_usage``.
        """
        from calib.store.bundle.export import collect_bundle

        with self._database.reading() as connection:
            # The rows and log of a newer store may have columns that this program does not know.
            revision.check_revision(revision.revision_of(connection), self._database.location)
            detectors.detector_position(connection, serial)
            position = None if calibration_id is None else position_of(connection, calibration_id)
            return collect_bundle(connection, serial, position, with_usage=with_usage)

    @write
    def load(
        self,
        bundle: Bundle,
        stamp: ChangeStamp,
        *,
        adopt: bool = False,
        supersede: bool = False,
    ) -> Loaded:
        """Record everything in a bundle that this store does not have yet, in one transaction.

        Certifications of the bundle are recorded as history. They become certifications of this
        store only with ``adopt``, under the rules for all others (``supersede``).
        """
        from calib.store.bundle.load import load
        from calib.store.bundle.scratch_store import unpacked_bundle

        bundle.verify()
        # The scratch store is filled before the write begins, so that other writers do not wait.
        with unpacked_bundle(bundle) as origin, self._database.writing() as connection:
            return load(connection, origin, bundle, stamp, adopt=adopt, supersede=supersede)

    @read
    def preview_load(
        self,
        bundle: Bundle,
        stamp: ChangeStamp,
        *,
        adopt: bool = False,
        supersede: bool = False,
    ) -> Loaded:
        """What ``load`` would do, with its errors, by loading into a scratch copy of the store."""
        from calib.store.bundle.load import load
        from calib.store.bundle.scratch_store import detector_copy, unpacked_bundle

        bundle.verify()
        copy = detector_copy(self._database, bundle.serial)
        with unpacked_bundle(bundle) as origin, copy as connection:
            return load(connection, origin, bundle, stamp, adopt=adopt, supersede=supersede)

    @read
    def origins(
        self,
        *,
        serial: str | None = None,
        calibration_id: str | None = None,
        known_at: int = LATEST,
    ) -> Sequence[OriginEntry]:
        """Entries of other stores' logs, loaded from bundles up to a position of the log, on a
        detector or a calibration, in their original order."""
        from calib.store.records.origins import read_origins

        with self._database.reading() as connection:
            which = ORIGIN.c.calibration_id == calibration_id
            if serial is not None:
                which = ORIGIN.c.detector == detectors.detector_position(connection, serial)
            return read_origins(connection, which & (ORIGIN.c.position <= known_at))
