"""calib detector list: the detectors in the store."""

from __future__ import annotations

import typer

from calib_cli.context import log_head, notify_head, open_store
from calib_cli.options import AsJson, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def list_detectors(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """List the detectors in the store.

    \b
    Example:
      calib detector list
    """
    from calib.report.detector.detectors import detector_table, detector_view

    with open_store(ctx, store, read_only=True) as opened:
        views = [
            detector_view(record, opened.detectors.retirements(record.serial))
            for record in opened.detectors.list()
        ]
        head = log_head(opened)
    notify_head(head)
    if as_json:
        write_json(views)
    elif views:
        write_blocks([detector_table(views)])
    else:
        notify("The store has no detectors yet.")
