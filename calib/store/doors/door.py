"""What every part of the store's door stands on."""

from __future__ import annotations

import inspect

from calib.store.again import asked_again
from calib.store.database import Database


class Door:
    """A part of the store: methods that read or write one noun through the one database.

    Each is called again where it only read, and the store was changed under it.
    """

    _database: Database

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if not name.startswith("_") and inspect.isfunction(method):
                setattr(cls, name, asked_again(method))
