"""The detectors that a command knows: built in, of the user, and of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from calib.errors import CalibError
from calib_cli.context import given_location, open_store, store_location
from calib_cli.output import notify

if TYPE_CHECKING:
    from calib.model.detector.families import Registry


def known_layouts(ctx: typer.Context, store: str | None) -> Registry:
    """All known detectors; without those of the store where there is none, or it cannot be read
    and was not asked for."""
    from calib.config.layouts import known_detectors
    from calib.flows.shared.modules import known_in

    given, place = given_location(ctx, store), store_location(ctx, store)
    if given is None and place.path is not None and not place.path.exists():
        return known_detectors()
    try:
        with open_store(ctx, store, read_only=True) as opened:
            return known_in(opened)
    except CalibError as error:
        if given is not None:
            raise
        notify(f"Note: without the layouts of the store: {error.problem}")
        return known_detectors()
