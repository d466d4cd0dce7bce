"""Panel rows: six values in mm and rad, six sigmas, and the hash that they must give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import Row

from calib.model.arrays import Floats
from calib.model.correction import PARAMETERS, Freedom
from calib.model.record import CalibrationRecord, panels_id

SIGMAS = tuple(f"sigma_{name}" for name in PARAMETERS)
"""The columns of the six sigmas."""


def panel_rows(record: CalibrationRecord) -> list[dict[str, Any]]:
    """One mapping per panel as the table has it."""
    estimate = record.estimate
    sigma = estimate.sigma
    rows = []
    for index, name in enumerate(record.panel_names):
        row: dict[str, Any] = {
            "panel": index,
            "name": name,
            "status": estimate.status[index].value,
            "n_reflections": int(estimate.n_reflections[index]),
        }
        row.update(zip(PARAMETERS, estimate.correction.values[index].tolist(), strict=True))
        for column, value in zip(SIGMAS, sigma[index].tolist(), strict=True):
            row[column] = None if np.isnan(value) else value
        rows.append(row)
    return rows


def panel_values(panels: Sequence[Row[Any]], freedom: Freedom, name: str) -> Floats | None:
    """The (n, 6) corrections in mm and rad; None where the rows do not give the name ``name``."""
    values = _floats(panels, PARAMETERS)
    free = freedom.free
    sigmas = _floats(panels, [SIGMAS[index] for index in free])
    held = [column for index, column in enumerate(SIGMAS) if index not in free]
    whole = (
        bool(np.isfinite(values).all() and np.isfinite(sigmas).all())
        and [panel.panel for panel in panels] == list(range(len(panels)))
        and all(getattr(panel, column) is None for panel in panels for column in held)
    )
    if not whole:
        return None
    found = panels_id(
        tuple(panel.name for panel in panels),
        tuple(panel.status for panel in panels),
        tuple(panel.n_reflections for panel in panels),
        values,
        sigmas,
    )
    return values if found == name else None


def _floats(rows: Sequence[Row[Any]], columns: Sequence[str]) -> Floats:
    table = [[getattr(row, column) for column in columns] for row in rows]
    return np.array(table, dtype=np.float64).reshape(len(rows), len(columns))
