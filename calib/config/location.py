"""Location of a store: an SQLite file or a database server; loads no database library."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from calib.errors import InputError
from calib.passwords import names_password, without_password

VARIABLE = "CALIB_STORE"
"""The environment variable that names the store."""
_ADDRESS = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_USER_AND_PASSWORD = re.compile(r"^[^/:@]+:[^@]*@")
SQLITE_MAGIC = b"SQLite format 3\0"
"""The first bytes of an SQLite database."""
_BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database."""
_POSTGRES = ("postgres", "postgresql", "postgresql+psycopg")
_SHOWN = 100
"""Number of characters shown of an invalid name."""


@dataclass(frozen=True, slots=True)
class Location:
    """Location of a store: a file or a server."""

    path: Path | None
    """The SQLite file; None for a server."""
    url: str = field(repr=False)
    """SQLAlchemy URL of the server with its password, never shown; empty for a file."""

    @staticmethod
    def parse(text: str | Path) -> Location:
        """Parse a path, ``sqlite:///PATH`` or ``postgresql://USER:PASSWORD@HOST/DATABASE``.

        Raises ``InputError`` (``bad-location``) for any other kind of address, and for a name that
        no file can have.
        """
        named = str(text)
        match = _ADDRESS.match(named)
        if match is None and not is_address(named):
            if not named.strip():
                raise InputError(
                    "bad-location",
                    "the name of the store is empty.",
                    remedy=f"give --store PATH, or set {VARIABLE}.",
                )
            return Location(_file(named), "")
        scheme = "" if match is None else match["scheme"].lower()
        rest = "" if match is None else named[match.end() :]
        if scheme == "sqlite" and len(rest) > 1 and rest.startswith("/"):
            return Location(_file(rest[1:]), "")
        if scheme in _POSTGRES:
            return Location(None, f"postgresql+psycopg://{_quoted(rest)}")
        raise InputError(
            "bad-location",
            f"{without_password(named)} is not an address at which a store can be.",
            remedy="give a path, or postgresql://USER@HOST/DATABASE, with the password in "
            "~/.pgpass.",
        )

    @property
    def shown(self) -> str:
        """The location without the password."""
        return str(self.path) if self.path is not None else without_password(self.url)

    @property
    def files(self) -> tuple[Path, ...]:
        """The store as it is named, and ``real_files``; none for a server."""
        return () if self.path is None else (self.path, *self.real_files)

    @property
    def real_files(self) -> tuple[Path, ...]:
        """The database and the files that SQLite keeps beside it, with links resolved. They need
        not exist; none for a server."""
        if self.path is None:
            return ()
        real = os.path.realpath(self.path)
        return tuple(Path(f"{real}{ending}") for ending in ("", *_BESIDE))

    @property
    def option(self) -> str:
        """The command-line option for this store, quoted for a shell."""
        return f"--store {shlex.quote(self.shown)}"


def _quoted(rest: str) -> str:
    """What follows the scheme, with the characters of the password quoted that would end it: else
    its rest would be taken for a host, which errors show."""
    before, mark, query = rest.partition("?")
    people, at, host = before.rpartition("@")
    user, colon, password = people.partition(":")
    if not colon or user.startswith("["):
        return rest
    return f"{user}:{quote(password, safe='%')}{at}{host}{mark}{query}"


def is_address(text: str) -> bool:
    """Whether a text is an address, or means to be one: it contains ``:/``, gives a password by
    name, or begins with ``USER:PASSWORD@``. It is never the name of a file."""
    return ":/" in text or names_password(text) or _USER_AND_PASSWORD.match(text) is not None


def refuse_address(path: Path) -> None:
    """Raise ``InputError`` (``bad-name``) for an address in place of the name of a file."""
    if is_address(str(path)):
        raise InputError(
            "bad-name",
            "this is an address, not the name of a file.",
            place=str(path),
            remedy="name a file; --store takes the address of a store.",
        )


def database_beside(path: Path) -> Path | None:
    """The SQLite database that would take a file with this name for its log or journal."""
    real = os.path.realpath(path)
    for ending in _BESIDE:
        database = Path(real.removesuffix(ending))
        if real.endswith(ending) and is_database(database):
            return database
    return None


def is_database(path: Path) -> bool:
    """Whether a path is that of an SQLite database, as its first bytes show."""
    try:
        if not path.is_file():  # a pipe would block
            return False
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError:
        return False


def _file(named: str) -> Path:
    try:
        path = Path(named).expanduser().absolute()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass  # reported when the store is opened
    except (RuntimeError, ValueError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        shown = named if len(named) <= _SHOWN else f"{named[:_SHOWN]}..."
        raise InputError(
            "bad-location",
            f"{shown!r} cannot be the name of a store: {why}.",
            remedy=f"give --store PATH, or set {VARIABLE}.",
        ) from error
    return path


def default_location() -> Location:
    """The file in the user's data folder that is used if no store is named."""
    from platformdirs import user_data_path

    return Location(user_data_path("calib", appauthor=False) / "calib.sqlite", "")
