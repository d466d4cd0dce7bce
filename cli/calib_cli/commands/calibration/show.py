"""calib show: one calibration with all that the store knows of it."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from calib_cli.context import open_store
from calib_cli.options import AllPanels, AsJson, AsKnownAt, Reference, Serial, StorePlace
from calib_cli.output import write_blocks, write_json


def show(
    ctx: typer.Context,
    reference: Reference,
    serial: Serial = None,
    as_known_at: AsKnownAt = None,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a calibration in full.

    Prints residuals, datasets, panels, weak modes, certifications and the origin of its data.

    \b
    Example:
      calib show 24-0107:3
      calib show 24-0107:3 --as-known-at 3
    """
    from calib.flows.calibrations import show as shown
    from calib.flows.shared.heads import signed_head
    from calib.report.bundle import origin_table, origin_view
    from calib.report.calibration.stored import stored_blocks, stored_view
    from calib.report.detector.amendments import relabelled_blocks, relabelling_view
    from calib.report.log import head_facts, head_view
    from calib.report.provenance import provenance_facts, provenance_view
    from calib.report.scalar import moment_view

    with open_store(ctx, store, read_only=True) as opened:
        now = datetime.now(UTC)
        found = shown(opened, reference, serial=serial, as_known_at=as_known_at, now=now)
        head = head_view(signed_head(opened, found.known_at.position))
    provenance = provenance_view(found.provenance)
    origins = [origin_view(one) for one in found.origins]
    view = {
        "as_known_at": moment_view(found.known_at),
        **stored_view(found.calibration, found.certifications, found.n_applications),
        "relabelled": None if found.relabelled is None else relabelling_view(found.relabelled),
        "replaces": None if found.replaces is None else found.replaces.name,
        "provenance": provenance,
        "origins": origins,
        "log_head": head,
    }
    if as_json:
        write_json(view)
    else:
        blocks = [*relabelled_blocks(view), *stored_blocks(view, all_panels=panels)]
        if provenance is not None:
            blocks.append(provenance_facts(provenance))
        if origins:
            blocks.append(origin_table(origins))
        write_blocks([*blocks, head_facts(head)])
