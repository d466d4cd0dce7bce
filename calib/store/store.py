"""The store's door: one class; only frozen values of ``calib.model`` go in and come out."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from calib.config.location import Location, default_location
from calib.config.settings import chosen_location
from calib.store.api.applications import ApplicationDoor
from calib.store.api.bundles import BundleDoor
from calib.store.api.calibrations import CalibrationDoor
from calib.store.api.certifications import CertificationDoor
from calib.store.api.detectors import DetectorDoor
from calib.store.api.log import LogDoor
from calib.store.api.maintenance import KeepingDoor
from calib.store.api.placements import PlacementDoor
from calib.store.api.rules import RuleDoor
from calib.store.api.summaries import SummaryDoor
from calib.store.database import errors
from calib.store.database.database import Database, existing_file, may_insert, require_file
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.schema.compatibility import admit_to


class Store(
    DetectorDoor,
    CalibrationDoor,
    SummaryDoor,
    CertificationDoor,
    ApplicationDoor,
    LogDoor,
    PlacementDoor,
    RuleDoor,
    BundleDoor,
    KeepingDoor,
):
    """One store, open. Every method that writes takes the deed: who, when, where."""

    def __init__(self, database: Database) -> None:
        """Use ``Store.open``."""
        self._database = database

    @staticmethod
    def open(
        location: str | Path | Location | None = None,
        *,
        read_only: bool = False,
        wait_seconds: float | None = None,
        journal: Journal | None = None,
    ) -> Store:
        """The store at a path or address; for None as the settings say, else the default.

        Only the default is made where it does not exist. Raises ``InputError`` (``no-store``,
        ``not-a-store``, ``store-newer``, ``store-older``) and ``StoreError``.
        """
        place = location if isinstance(location, Location) else chosen_location(location)
        if place.path is not None and not existing_file(place):
            if place != default_location():
                require_file(place)
            Store.create(place, journal)
        database = Database(place, read_only=read_only, wait_seconds=wait_seconds, journal=journal)
        try:
            admit_to(database)
        except BaseException:
            database.close()
            raise
        return Store(database)

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
        """Raise ``StoreReadOnlyError`` where writing will be refused, before long work."""
        if self._database.refusal is None and not self._database.is_sqlite:
            self._ask_the_server()
        if self._database.refusal is not None:
            raise self._database.refusal

    @retry_read
    def _ask_the_server(self) -> None:
        with self._database.reading() as connection:
            if not may_insert(connection):
                self._database.refusal = errors.read_only(self.location)
