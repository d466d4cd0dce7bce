"""calib list, calib show: what the store holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from calib_cli.context import open_store
from calib_cli.options import AllPanels, AsJson, AsKnownAt, Reference, Serial, StorePlace
from calib_cli.output import say, write_blocks, write_json

_SHOWN = 100
"""So many calibrations a table shows where nothing else is asked for."""


def list_calibrations(
    ctx: typer.Context,
    serial: Annotated[
        str | None,
        typer.Option("--serial", metavar="SERIAL", help="Those of this detector only."),
    ] = None,
    as_known_at: AsKnownAt = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            help="So many at most, those stored last. Default: 100, or all with --json.",
            show_default=False,
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """List calibrations.

    \b
    Example:
      calib list --serial 24-0107
    """
    from calib.flows.list_calibrations import listed
    from calib.report.blocks import moment_words
    from calib.report.calibration.listing import line_view, list_table
    from calib.report.scalar import moment_view

    now = datetime.now(UTC)
    if limit is None and not as_json:
        limit = _SHOWN
    with open_store(ctx, store, read_only=True) as opened:
        found = listed(opened, serial, as_known_at, limit, now)
    views = [line_view(line) for line in found.lines]
    say(f"As known at {moment_words(moment_view(found.known_at))}.")
    if found.more:
        say(f"The {limit} that were stored last; --serial or --limit shows others.")
    if as_json:
        write_json(views)
    elif views:
        write_blocks([list_table(views)])
    else:
        say("The store holds no calibration yet.")


def show(
    ctx: typer.Context,
    reference: Reference,
    serial: Serial = None,
    as_known_at: AsKnownAt = None,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a calibration with all that is known of it.

    \b
    Example:
      calib show 24-0107:3
      calib show 24-0107:3 --as-known-at 3
    """
    from calib.flows.show import show as shown
    from calib.report.bundle import origin_table, origin_view
    from calib.report.calibration.stored import stored_blocks, stored_view
    from calib.report.provenance import provenance_facts, provenance_view
    from calib.report.scalar import moment_view

    with open_store(ctx, store, read_only=True) as opened:
        now = datetime.now(UTC)
        found = shown(opened, reference, serial=serial, as_known_at=as_known_at, now=now)
    provenance = provenance_view(found.provenance)
    origins = [origin_view(one) for one in found.origins]
    view = {
        "as_known_at": moment_view(found.known_at),
        **stored_view(found.calibration, found.certifications, found.n_applications),
        "provenance": provenance,
        "origins": origins,
    }
    if as_json:
        write_json(view)
    else:
        blocks = stored_blocks(view, all_panels=panels)
        if provenance is not None:
            blocks.append(provenance_facts(provenance))
        if origins:
            blocks.append(origin_table(origins))
        write_blocks(blocks)
