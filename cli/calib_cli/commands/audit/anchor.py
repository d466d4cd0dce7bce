"""calib audit anchor: append a checkpoint to places that the writer cannot change."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import is_other_store, open_store, stamp
from calib_cli.help import OUTPUT
from calib_cli.options import AsJson, By, SigningKeyFile, StorePlace
from calib_cli.output import notify, write, write_json


def anchor(
    ctx: typer.Context,
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="PLACE...",
            help="Append the checkpoint to these folders, git repositories or other stores.",
            show_default=False,
            rich_help_panel=OUTPUT,
        ),
    ],
    key: SigningKeyFile = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Append a signed checkpoint to places that the writer of the store cannot change.

    Each checkpoint is a new file. In a git repository it is committed, and pushed where the branch
    has an upstream. In another store (a file or an address) it is an entry of that store's log.
    Refused if the log no longer contains the newest checkpoint of a place.

    \b
    Example:
      calib audit anchor anchors
    """
    from calib.config.settings import read_settings
    from calib.flows.audit import anchor as anchored
    from calib.report.log import anchor_view

    stores = [place for place in places if is_other_store(place)]
    folders = [Path(place) for place in places if place not in stores]
    with ExitStack() as stack:
        opened = stack.enter_context(open_store(ctx, store, read_only=True))
        others = [stack.enter_context(open_store(ctx, place, create=False)) for place in stores]
        made, done = anchored(
            opened, key, folders, stamp(by), others, read_settings().timestamp_url
        )
    view = anchor_view(made, done)
    if as_json:
        write_json(view)
        return
    for one in done:
        write(f"{one.path}\n")
        if one.commit is not None:
            where = "not pushed: the branch has no upstream"
            if one.pushed_to is not None:
                where = f"pushed to {one.pushed_to}"
            notify(f"Committed as {one.commit[:12]}, {where}.")
        if one.position is not None:
            notify(f"Recorded as entry {one.position} of that store's log.")
    notify(f"Signed {view['n_chains']} chains up to position {view['last_position']}.")
