"""calib list, calib show: what the store holds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from calib_cli.options import AllPanels, AsJson, AsKnownAt, Reference, Serial, StorePlace
from calib_cli.output import say, write_blocks, write_json
from calib_cli.setting import open_store


def list_calibrations(
    ctx: typer.Context,
    serial: Annotated[
        str | None,
        typer.Option("--serial", metavar="SERIAL", help="Those of this detector only."),
    ] = None,
    as_known_at: AsKnownAt = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """List calibrations.

    \b
    Example:
      calib list --serial 24-0107
    """
    from calib.flows.listing import listed
    from calib.report.calibration_blocks import list_table
    from calib.report.calibration_view import line_view

    now = datetime.now(UTC)
    with open_store(ctx, store, read_only=True) as opened:
        views = [line_view(line) for line in listed(opened, serial, as_known_at, now)]
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
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a calibration with all that is known of it.

    \b
    Example:
      calib show 24-0107:3
    """
    from calib.report.bundle_view import origin_table, origin_view
    from calib.report.calibration_blocks import shown_blocks
    from calib.report.calibration_view import stored_view
    from calib.report.provenance_view import provenance_facts, provenance_view

    with open_store(ctx, store, read_only=True) as opened:
        found = opened.calibration(reference, serial)
        certifications = [
            one
            for one in opened.certifications(found.record.serial)
            if one.calibration_id == found.id
        ]
        applied = opened.applications(calibration_id=found.id)
        provenance = provenance_view(opened.provenance(found.id))
        origins = [origin_view(one) for one in opened.origins(calibration_id=found.id)]
    view = {
        **stored_view(found, certifications, len(applied)),
        "provenance": provenance,
        "origins": origins,
    }
    if as_json:
        write_json(view)
    else:
        blocks = shown_blocks(view, all_panels=panels)
        if provenance is not None:
            blocks.append(provenance_facts(provenance))
        if origins:
            blocks.append(origin_table(origins))
        write_blocks(blocks)
