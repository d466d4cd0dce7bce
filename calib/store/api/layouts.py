"""Layouts of detectors that all users of the store share."""

from __future__ import annotations

from collections.abc import Sequence

from calib.model.store.record import ChangeStamp
from calib.model.store.shared_layout import SharedLayout
from calib.store.api.entity import EntityApi, read, write
from calib.store.records import layouts


class LayoutApi(EntityApi):
    """Record and list files of detector families."""

    @write
    def add(self, layout: SharedLayout, stamp: ChangeStamp) -> SharedLayout:
        """Record a file; returns it as recorded. It replaces an earlier one of its name."""
        with self._database.writing() as connection:
            return layouts.add_layout(connection, layout, stamp)

    @read
    def list(self) -> Sequence[SharedLayout]:
        """Every file that was recorded, newest first."""
        with self._database.reading() as connection:
            return layouts.read_layouts(connection)
