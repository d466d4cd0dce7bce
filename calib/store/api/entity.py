"""What every part of the store's door stands on."""

from __future__ import annotations

import inspect

from calib.store.database.database import Database
from calib.store.database.retry import retry_read


class Door:
    """A part of the store: methods that read or write one noun through the one database.

    Each is called again where it only read, and the store was changed under it.
    """

    _database: Database

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, method in list(vars(cls).items()):
            if not name.startswith("_") and inspect.isfunction(method):
                setattr(cls, name, retry_read(method))
