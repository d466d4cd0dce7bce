"""calib layout list: the known detectors."""

from __future__ import annotations

from calib_cli.options import AsJson
from calib_cli.output import write_blocks, write_json


def list_layouts(as_json: AsJson = False) -> None:
    """List the detectors whose modules calib knows.

    \b
    Example:
      calib layout list
    """
    from calib.config.layouts import known_detectors
    from calib.report.layouts import layout_table, layout_view

    views = [layout_view(detector) for detector in known_detectors()]
    if as_json:
        write_json(views)
    else:
        write_blocks([layout_table(views)])
