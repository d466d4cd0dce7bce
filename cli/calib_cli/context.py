"""Where and by whom a command is run: the store, and the deed that is recorded with a change."""

from __future__ import annotations

import gc
import getpass
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from calib_cli.program import command_line

if TYPE_CHECKING:
    from calib.config.location import Location
    from calib.model.store.record import ChangeStamp
    from calib.store.store import Store

WHILE_LOADING = 200_000
"""How many objects may be made before the garbage collector runs, while modules are loaded."""
_USUAL = gc.get_threshold()


def place_of(ctx: typer.Context, option: str | None) -> Location:
    """The store that a command works on: its own ``--store``, else that of ``calib --store``."""
    from calib.config.settings import chosen_location

    return named_place(ctx, option) or chosen_location(None)


def named_place(ctx: typer.Context, option: str | None) -> Location | None:
    """The store that an option names; None where it is for the settings to say."""
    from calib.config.location import Location

    named = ctx.find_root().params.get("store") if option is None else option
    # An empty --store is a slip ("$UNSET" in a script), not a wish for the default.
    return None if named is None else Location.parse(named)


def open_store(ctx: typer.Context, option: str | None, *, read_only: bool = False) -> Store:
    """The store that a command works on, open."""
    from calib.store.store import Store

    if gc.get_threshold()[0] == WHILE_LOADING:
        gc.freeze()  # the modules: the collector passes over them from here on
        gc.set_threshold(*_USUAL)
    return Store.open(place_of(ctx, option), read_only=read_only)


def stamp(by: str | None) -> ChangeStamp:
    """Who does this (``--by``, the settings, or the login name), now, on this host, with the
    command line that is being run."""
    from calib.config.settings import read_settings
    from calib.model.base.text import checked_words
    from calib.model.store.record import ChangeStamp

    actor = (by or "").strip() or read_settings().actor or login_name()
    checked_words(actor, "the name of whoever does this")
    return ChangeStamp(datetime.now(UTC), actor, socket.gethostname(), command_line())


def is_named(by: str | None) -> bool:
    """Whether whoever does this said who he is, which a login name or the settings of everybody
    on this machine do not."""
    from calib.config.settings import SYSTEM, read_settings

    actor = read_settings().all["actor"]
    return bool((by or "").strip()) or actor.origin not in ("default", str(SYSTEM))


def login_name() -> str:
    """Who is logged in here."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in some containers
        return f"user {os.getuid()}"
