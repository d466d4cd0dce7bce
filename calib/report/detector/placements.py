"""Placements of a detector at beamlines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calib.model.store.placement import BeamlinePlacement
from calib.report.blocks import NONE, Table, View, at_second
from calib.report.certifications import stamp_view
from calib.report.scalar import instant


def placement_view(placement: BeamlinePlacement) -> dict[str, Any]:
    """One placement; its number is None before it is recorded."""
    return {
        "number": placement.number or None,
        "serial": placement.serial,
        "beamline": placement.beamline,
        "from": instant(placement.start),
        "reason": placement.reason or None,
        "recorded": stamp_view(placement.recorded),
    }


def placement_table(views: Sequence[View]) -> Table:
    """Placements, one per line."""
    return Table(
        "Placements",
        ("beamline", "from", "by", "recorded", "reason"),
        tuple(
            (
                view["beamline"],
                at_second(view["from"]),
                view["recorded"]["by"],
                at_second(view["recorded"]["at"]),
                view["reason"] or NONE,
            )
            for view in views
        ),
        n_text=5,
    )
