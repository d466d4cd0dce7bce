"""calib affected: files that got a calibration, to be processed again if it is withdrawn."""

from __future__ import annotations

import typer

from calib_cli.context import log_head, open_store
from calib_cli.options import AsCsv, AsJson, Reference, Serial, StorePlace
from calib_cli.output import refuse_two_formats, write, write_blocks, write_json


def affected(
    ctx: typer.Context,
    reference: Reference,
    serial: Serial = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
) -> None:
    """List the files that a withdrawal would affect.

    Each file is listed with the calibration in force for its time and distance now, and the one
    that would take over.

    \b
    Example:
      calib affected 24-0107:3
    """
    from calib.flows.affected import affected as found_affected
    from calib.report.affected import affected_blocks, affected_data, affected_view
    from calib.report.log import head_facts
    from calib.report.spreadsheet import csv_text

    refuse_two_formats(as_json=as_json, as_csv=as_csv)
    with open_store(ctx, store, read_only=True) as opened:
        done = found_affected(opened, reference, serial=serial)
        head = log_head(opened, done.known_at.position)
    view = {**affected_view(done.known_at, done.calibration, done.files), "log_head": head}
    if as_json:
        write_json(view)
    elif as_csv:
        write(csv_text(affected_data(view)))
    else:
        write_blocks([*affected_blocks(view), head_facts(head)])
