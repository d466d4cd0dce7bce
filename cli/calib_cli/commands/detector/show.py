"""calib detector show: a detector with its calibrations."""

from __future__ import annotations

import typer

from calib_cli.context import open_store
from calib_cli.options import AllPanels, AsJson, SerialName, StorePlace
from calib_cli.output import write_blocks, write_json


def show(
    ctx: typer.Context,
    serial: SerialName,
    panels: AllPanels = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Show a detector with its calibrations and certifications.

    \b
    Example:
      calib detector show 24-0107
    """
    from calib.flows.shared.heads import signed_head
    from calib.report.calibration.listing import line_view
    from calib.report.certifications import certification_view
    from calib.report.detector.amendments import edit_view, retirement_view
    from calib.report.detector.detectors import detector_blocks, detector_view, panel_frames_view
    from calib.report.detector.placements import placement_view
    from calib.report.log import head_facts, head_view
    from calib.report.scalar import moment_view

    with open_store(ctx, store, read_only=True) as opened:
        record, known = opened.detectors.get(serial), opened.log.moment()
        head = head_view(signed_head(opened, known.position))
        lines = opened.calibrations.list(serial, known.position)
        certifications = opened.certifications.list(serial, known.position)
        placements = opened.placements.list(serial, known.position)
        edits = opened.detectors.edits(serial, known.position)
        retirements = opened.detectors.retirements(serial, known.position)
    view = {
        "as_known_at": moment_view(known),
        **detector_view(record, retirements),
        "panels": panel_frames_view(record),
        "calibrations": [line_view(line) for line in lines],
        "certifications": [certification_view(one) for one in certifications],
        "placements": [placement_view(one) for one in placements],
        "edits": [edit_view(one) for one in edits],
        "retirements": [retirement_view(one) for one in retirements],
        "log_head": head,
    }
    if as_json:
        write_json(view)
    else:
        write_blocks([*detector_blocks(view, all_panels=panels), head_facts(head)])
