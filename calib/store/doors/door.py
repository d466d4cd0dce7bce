"""What every part of the store's door stands on."""

from __future__ import annotations

from calib.store.database import Database


class Door:
    """A part of the store: methods that read or write one noun through the one database."""

    _database: Database
