"""Where a store lies: an SQLite file, or a database server's address. Needs no database library."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from calib.errors import InputError

VARIABLE = "CALIB_STORE"
"""The environment variable that names the store."""
_ADDRESS = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_PASSWORD = re.compile(r"(?<=://)(?P<user>[^:/?#@]*):.*@", re.DOTALL)  # rather too much
_QUERY_PASSWORD = re.compile(r"(?P<key>[?&]password=)[^&]*")
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_SHOWN = 100
"""Characters of a name that is of no use."""


@dataclass(frozen=True, slots=True)
class Location:
    """The place of one store: either a file or an address."""

    path: Path | None
    """The SQLite file; None for a server."""
    url: str
    """The server's address for SQLAlchemy, password included: never shown; empty for a file."""

    @staticmethod
    def parse(text: str | Path) -> Location:
        """A path, ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

        Raises ``InputError`` (``bad-location``) for an address of any other kind, and for a name
        that no file can have.
        """
        named = str(text)
        match = _ADDRESS.match(named)
        if match is None:
            if not named.strip():
                raise InputError(
                    "bad-location",
                    "the store's name is empty.",
                    remedy=f"--store PATH, or {VARIABLE}.",
                )
            return Location(_file(named), "")
        scheme = match["scheme"].lower()
        rest = named[match.end() :]
        if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
            return Location(_file(rest[1:]), "")
        if scheme in _POSTGRES:
            return Location(None, f"postgresql+psycopg://{rest}")
        raise InputError(
            "bad-location",
            f"a store cannot lie at {without_password(named)}.",
            remedy="a path, or postgresql://USER@HOST/DATABASE.",
        )

    @property
    def shown(self) -> str:
        """The place as people may see it, the password hidden."""
        return str(self.path) if self.path is not None else without_password(self.url)

    @property
    def option(self) -> str:
        """The option that names this store, to be pasted into a shell."""
        return f"--store {shlex.quote(self.shown)}"


def _file(named: str) -> Path:
    try:
        path = Path(named).expanduser().absolute()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # whoever opens it is told so
    except (RuntimeError, ValueError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        shown = named if len(named) <= _SHOWN else f"{named[:_SHOWN]}..."
        raise InputError(
            "bad-location",
            f"{shown!r} cannot be the name of a store: {why}.",
            remedy=f"--store PATH, or {VARIABLE}.",
        ) from error
    return path


def without_password(text: str) -> str:
    """An address with ``***`` for its password."""
    hidden = _PASSWORD.sub(lambda match: f"{match['user']}:***@", text)
    return _QUERY_PASSWORD.sub(lambda match: f"{match['key']}***", hidden)


def default_location() -> Location:
    """The file in the user's data folder that serves where no store is named."""
    from platformdirs import user_data_path

    return Location(user_data_path("calib", appauthor=False) / "calib.sqlite", "")
