"""calib init: make a store, or carry an older one to today's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from calib_cli.options import AsJson, DryRun, StorePlace
from calib_cli.output import write, write_json
from calib_cli.setting import place_of

if TYPE_CHECKING:
    from calib.store.location import Location


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
    from calib.store.store import Store

    place = place_of(ctx, store)
    answer: dict[str, Any] = {"store": place.shown, "created": False, "upgraded_from": None}
    if dry_run:
        revision, known = _revision(place)
        answer["created"] = revision is None
        answer["upgraded_from"] = revision if upgrade and revision != known else None
    elif upgrade:
        before, now = Store.upgrade(place)
        answer["upgraded_from"] = before if before != now else None
    else:
        answer["created"] = Store.create(place)
    would = "Would upgrade the store" if dry_run else "Upgraded the store"
    if as_json:
        write_json(answer)
    elif answer["upgraded_from"]:
        write(f"{would} from revision {answer['upgraded_from']}: {place.shown}\n")
    elif answer["created"]:
        write(f"{'Would make' if dry_run else 'Made'} an empty store: {place.shown}\n")
    else:
        write(f"There is a store already: {place.shown}\n")


def _revision(place: Location) -> tuple[str | None, str]:
    """The revision of the store that is there (None: no store), and the one that calib knows."""
    from calib.store.database import Database, existing_file
    from calib.store.schema import HEAD, revision_at

    if place.path is not None and not existing_file(place):
        return None, HEAD
    database = Database(place, read_only=True)
    try:
        return revision_at(database), HEAD
    finally:
        database.close()
