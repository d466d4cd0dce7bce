"""The resolver: the one calibration that applies to a detector, time and distance."""

from __future__ import annotations

from calib.model.store.resolution import Query, Resolution
from calib.store.api.entity import EntityApi, read
from calib.store.resolve.resolve import resolve


class ResolverApi(EntityApi):
    """Resolve queries."""

    @read
    def resolve(self, query: Query, *, explain: bool = False) -> Resolution:
        """The calibration that applies to a query; with ``explain`` also why others do not.

        ``NotFoundError`` (``not-certified``) names the nearest certified interval and the command
        that would extend it.
        """
        with self._database.reading() as connection:
            return resolve(connection, query, explain=explain)
