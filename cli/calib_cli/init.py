"""calib init: make a store, or carry an older one to today's form."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json
from calib_cli.setting import place_of


def init(
    ctx: typer.Context,
    store: StorePlace = None,
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Carry an older store to today's form.")
    ] = False,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make an empty store.

    One that is there already is left as it is.

    \b
    Example:
      calib init --store beamline.sqlite
    """
    from calib.store.location import Location
    from calib.store.store import Store

    place: Location = place_of(ctx, store)
    answer: dict[str, Any] = {"store": place.shown, "created": False, "upgraded_from": None}
    if upgrade and not dry_run:
        before, now = Store.upgrade(place)
        answer["upgraded_from"] = before if before != now else None
    elif dry_run:
        answer["created"] = not _is_there(place)
    else:
        answer["created"] = Store.create(place)
    if as_json:
        write_json(answer)
    elif answer["upgraded_from"]:
        write(f"Upgraded the store {place.shown} from revision {answer['upgraded_from']}.\n")
    elif answer["created"]:
        write(f"{'Would make' if dry_run else 'Made'} an empty store: {place.shown}\n")
    else:
        write(f"There is a store already: {place.shown}\n")


def _is_there(place: Any) -> bool:
    from calib.errors import InputError
    from calib.store.store import Store

    try:
        Store.open(place, read_only=True).close()
    except InputError as error:
        if error.code == "no-store":
            return False
        raise
    return True
