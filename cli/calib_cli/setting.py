"""Where and by whom a command is run: the store, and the deed that is recorded with a change."""

from __future__ import annotations

import getpass
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from calib_cli.group import command_line

if TYPE_CHECKING:
    from calib.model.record import Deed
    from calib.store.location import Location
    from calib.store.store import Store

ACTOR = "CALIB_ACTOR"
"""The environment variable that names who does something."""


def place_of(ctx: typer.Context, option: str | None) -> Location:
    """The store that a command works on: its own ``--store``, else that of ``calib --store``."""
    from calib.store.location import Location, chosen_location

    named = ctx.find_root().params.get("store") if option is None else option
    # An empty --store is a slip ("$UNSET" in a script), not a wish for the default.
    return chosen_location(None) if named is None else Location.parse(named)


def open_store(ctx: typer.Context, option: str | None, *, read_only: bool = False) -> Store:
    """The store that a command works on, open."""
    from calib.store.store import Store

    return Store.open(place_of(ctx, option), read_only=read_only)


def deed(by: str | None) -> Deed:
    """Who does this (``--by``, ``CALIB_ACTOR``, or the login name), now, on this host, with the
    command line that is being run."""
    from calib.model.record import Deed

    actor = (by or "").strip() or os.environ.get(ACTOR, "").strip() or _login_name()
    return Deed(datetime.now(UTC), actor, socket.gethostname(), command_line())


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in some containers
        return f"user {os.getuid()}"
