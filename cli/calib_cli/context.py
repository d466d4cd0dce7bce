"""Where and by whom a command is run: the store, and the stamp recorded with a change."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from calib_cli.help import CLOCK_CHECKED
from calib_cli.output import notify
from calib_cli.program import command_line

if TYPE_CHECKING:
    from calib.config.actor import Actor
    from calib.config.location import Location
    from calib.model.store.protocol import StoreLike
    from calib.model.store.record import ChangeStamp
    from calib.store.store import Store

WHILE_LOADING = 200_000
"""Objects created between two runs of the garbage collector while modules are loaded."""
_USUAL = gc.get_threshold()


def store_location(ctx: typer.Context, option: str | None) -> Location:
    """The store that a command works on: its own ``--store``, else that of ``calib --store``."""
    from calib.config.settings import chosen_location

    return given_location(ctx, option) or chosen_location(None)


def given_location(ctx: typer.Context, option: str | None) -> Location | None:
    """The store named by an option; None if the settings decide."""
    from calib.config.location import Location

    named = ctx.find_root().params.get("store") if option is None else option
    # An empty --store is a mistake ("$UNSET" in a script), not a request for the default.
    return None if named is None else Location.parse(named)


def open_store(
    ctx: typer.Context,
    option: str | None,
    *,
    read_only: bool = False,
    create: bool = True,
    clock_checked: bool = False,
) -> Store:
    """Open the store that a command works on; with ``clock_checked`` or ``--clock-checked`` the
    clock of this machine is taken as right.

    The default store is created where it does not exist, but not by a command that only reads
    (``read_only``), or that needs what is stored already (without ``create``).
    """
    from calib.store.store import Store

    if gc.get_threshold()[0] == WHILE_LOADING:
        gc.freeze()  # exempts loaded modules from collection from here on
        gc.set_threshold(*_USUAL)
    return Store.open(
        store_location(ctx, option),
        read_only=read_only,
        create=create,
        clock_checked=clock_checked or ctx.meta.get(CLOCK_CHECKED, False),
    )


def actor(by: str | None) -> Actor:
    """Who runs this command (``--by``, the settings, or the login name), with its command line."""
    from calib.config.actor import chosen_actor

    return chosen_actor(by, command_line())


def stamp(by: str | None) -> ChangeStamp:
    """Who runs this command, now, on this host."""
    return actor(by).stamp(datetime.now(UTC))


def notify_local_times(store: StoreLike, serial: str, *texts: str | None) -> None:
    """Print how times without an offset were read, each in the zone of the detector and in UTC."""
    from calib.flows.shared.times import local_times

    for sentence in local_times(store.detectors.get(serial).zones, *texts):
        notify(sentence)


def log_head(store: StoreLike, position: int | None = None) -> dict[str, Any]:
    """The head of the log for a report, up to a position or of the whole log, signed if this user
    has a key."""
    from calib.flows.shared.heads import signed_head
    from calib.model.store.log import LATEST
    from calib.report.log import head_view

    return head_view(signed_head(store, LATEST if position is None else position))


def notify_head(head: dict[str, Any]) -> None:
    """Print the head of the log as a message, for results that are lists."""
    from calib.report.log import head_sentence

    notify(head_sentence(head))


def is_other_store(place: str) -> bool:
    """Whether a place is that of a store: an address, or a file that is an SQLite database."""
    from calib.config.location import is_address, is_database

    return is_address(place) or is_database(Path(place))
