"""calib show: one calibration with all that the store knows of it."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from calib_cli.context import open_store
from calib_cli.options import AllPanels, AsCsv, AsJson, AsKnownAt, Reference, Serial, StorePlace
from calib_cli.output import refuse_two_formats, write, write_blocks, write_json


def show(
    ctx: typer.Context,
    reference: Reference,
    serial: Serial = None,
    as_known_at: AsKnownAt = None,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """Show a calibration in full.

    Prints residuals, datasets, panels, weak modes, certifications and the origin of its data;
    --csv prints its panels.

    \b
    Example:
      calib show 24-0107:3
      calib show 24-0107:3 --as-known-at 3
    """
    from calib.flows.reports.calibration import shown_view
    from calib.report.bundle import origin_table
    from calib.report.calibration.stored import stored_blocks
    from calib.report.detector.amendments import relabelled_blocks
    from calib.report.log import head_facts
    from calib.report.provenance import provenance_facts
    from calib.report.spreadsheet import csv_text, panel_data

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    with open_store(ctx, store, read_only=True) as opened:
        view = shown_view(
            opened, reference, serial=serial, as_known_at=as_known_at, now=datetime.now(UTC)
        )
    if as_json:
        write_json(view)
    elif as_csv:
        write(csv_text(panel_data(view["panels"])))
    else:
        blocks = [*relabelled_blocks(view), *stored_blocks(view, all_panels=panels)]
        if view["provenance"] is not None:
            blocks.append(provenance_facts(view["provenance"]))
        if view["origins"]:
            blocks.append(origin_table(view["origins"]))
        write_blocks([*blocks, head_facts(view["log_head"])])
