"""Stores that a function makes once for all tests, and copies of them."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from support.postgres import Server, fresh_database, new_database

Fill = Callable[[str], object]
"""Makes a store at a path, where no file is, or at the address of an empty database."""


class Copies:
    """Copies of stores. Each store is made on the first use, and not opened afterwards."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Fill, Path] = {}
        self._databases: dict[Fill, str] = {}

    def file(self, fill: Fill, path: Path) -> None:
        """Copy the store that ``fill`` makes to a new SQLite file."""
        if fill not in self._files:
            # A name of its own: what a fill that failed has left is never opened again.
            original = self._folder / f"{secrets.token_hex(6)}.sqlite"
            fill(str(original))
            assert [*self._folder.glob(f"{original.name}*")] == [original], "left open"
            self._files[fill] = original
        assert not path.exists()
        shutil.copy(self._files[fill], path)

    @contextlib.contextmanager
    def database(self, fill: Fill, server: Server) -> Iterator[str]:
        """The address of a database with a copy of the store; it is dropped afterwards."""
        if fill not in self._databases:
            original = f"original_{secrets.token_hex(6)}"
            new_database(server, original)
            fill(server.url(original))
            self._databases[fill] = original
        with fresh_database(server, self._databases[fill]) as name:
            yield server.url(name)
