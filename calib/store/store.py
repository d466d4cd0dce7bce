"""The store: one class, composed of an interface for each kind of entity."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from calib.config.location import Location, default_location
from calib.config.settings import chosen_location
from calib.model.store.resolution import DistancePolicy, Query, Resolution, TimePolicy
from calib.model.store.validity import utc
from calib.store.api import maintenance
from calib.store.api.applications import ApplicationApi
from calib.store.api.bundles import BundleApi
from calib.store.api.calibrations import CalibrationApi
from calib.store.api.certifications import CertificationApi
from calib.store.api.detectors import DetectorApi
from calib.store.api.layouts import LayoutApi
from calib.store.api.log import LogApi
from calib.store.api.placements import PlacementApi
from calib.store.api.resolver import ResolverApi
from calib.store.api.rules import RuleApi
from calib.store.api.summaries import SummaryApi
from calib.store.database import errors
from calib.store.database.database import Database, existing_file, may_insert, require_file
from calib.store.database.journal import Journal
from calib.store.database.retry import retry_read
from calib.store.log.log import read_moment
from calib.store.schema.compatibility import admit_to


class Store:
    """An open store in an SQLite file or a Postgres database.

    It takes and returns frozen values of ``calib.model`` only. Every method that writes takes the
    stamp of the change: who, when, where. It satisfies ``calib.model.store.protocol.StoreLike``.
    """

    def __init__(self, database: Database) -> None:
        """Use ``Store.open``."""
        self._database = database
        self.detectors = DetectorApi(database)
        self.calibrations = CalibrationApi(database)
        self.summaries = SummaryApi(database)
        self.certifications = CertificationApi(database)
        self.resolver = ResolverApi(database)
        self.applications = ApplicationApi(database)
        self.placements = PlacementApi(database)
        self.layouts = LayoutApi(database)
        self.rules = RuleApi(database)
        self.bundles = BundleApi(database)
        self.log = LogApi(database)

    @staticmethod
    def create(
        location: str | Path | Location,
        journal: Journal | None = None,
        group: str | None = None,
    ) -> bool:
        """Create an empty store; False where one of the current revision exists already.

        With ``group`` its folder and its files are shared with this group, whatever the umask.
        Raises ``InputError`` where something else exists, or a store of another revision, and where
        the store cannot be shared.
        """
        return maintenance.create(location, journal, group)

    @staticmethod
    def open(
        location: str | Path | Location | None = None,
        *,
        read_only: bool = False,
        create: bool = True,
        wait_seconds: float | None = None,
        journal: Journal | None = None,
        clock_checked: bool = False,
    ) -> Store:
        """Open the store at a path or address; for None that of the settings, else the default.

        A default that does not exist is created, unless it is opened with ``read_only`` or without
        ``create``, which is for changes of what is stored already. ``clock_checked`` states that
        the clock of this machine is right where a store in a file would refuse it. Raises
        ``InputError`` (``no-store``, ``not-a-store``, ``store-newer``, ``store-older``) and
        ``StoreError``.
        """
        place = location if isinstance(location, Location) else chosen_location(location)
        if place.path is not None and not existing_file(place):
            if read_only or not create or place != default_location():
                require_file(place)
            maintenance.create(place, journal)
        database = Database(
            place,
            read_only=read_only,
            wait_seconds=wait_seconds,
            journal=journal,
            clock_checked=clock_checked,
        )
        try:
            admit_to(database)
        except BaseException:
            database.close()
            raise
        return Store(database)

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
        """The one calibration that applies to a detector, a time and a distance.

        ``as_known_at`` is a position of the log or a time: later entries are ignored. With
        ``explain`` the answer also says why other calibrations do not apply. ``NotFoundError``
        (``not-certified``) names the nearest certified interval and the command that would extend
        it.
        """
        query = Query(serial, at, distance_mm, as_known_at, distance_policy, time_policy)
        return self.resolver.resolve(query, explain=explain)

    def close(self) -> None:
        """Close all connections to the database."""
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
        """The path or address of the store."""
        return self._database.location

    @property
    def address(self) -> str:
        """The path or address as messages show it, without a password."""
        return self.location.shown

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the store, which no output may overwrite; none for a server."""
        return self.location.files

    @property
    def read_only(self) -> bool:
        """Whether writing is known to be refused (a Postgres role may turn out to be refused only
        by ``require_writable`` or the first write)."""
        return self._database.read_only

    def require_writable(self, at: datetime | None = None) -> None:
        """Raise ``StoreReadOnlyError`` where writing will be refused, and ``StoreError`` where the
        disk is full (``disk-full``) or a change at the time ``at`` would be refused
        (``clock-differs``, ``clock-jump``), before long work."""
        if self._database.refusal is None and not self._database.is_sqlite:
            self._check_role()
        if self._database.refusal is not None:
            raise self._database.refusal
        self._database.require_space()
        if at is not None:
            self._check_clock(at)

    @retry_read
    def _check_clock(self, at: datetime) -> None:
        with self._database.reading() as connection:
            self._database.clock.check(connection, utc(at), read_moment(connection, None).at)

    @retry_read
    def _check_role(self) -> None:
        with self._database.reading() as connection:
            if not may_insert(connection):
                self._database.refusal = errors.read_only(self.location)
