"""Panel rows: six parameters in mm and rad, their sigmas, verified against their hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from calib.errors import InputError
from calib.model.base.arrays import Floats
from calib.model.detector.correction import N_PARAMETERS, PARAMETERS, Freedom
from calib.model.store.record import CalibrationRecord, panels_id
from calib.store.database.raw_sql import SqlStatement

SIGMAS = tuple(f"sigma_{name}" for name in PARAMETERS)
"""The columns of their standard uncertainties."""
COLUMNS = ("panel", "name", "status", "n_reflections", *PARAMETERS, *SIGMAS)
"""Columns read for each panel, in this order."""
_OF_CALIBRATION = SqlStatement(
    f"SELECT {', '.join(COLUMNS)} FROM panel "  # noqa: S608 - names of our own columns
    "WHERE calibration = :calibration ORDER BY panel"
)


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """The panels of one calibration, verified."""

    names: tuple[str, ...]
    status: tuple[str, ...]
    n_reflections: tuple[int, ...]
    values: Floats
    """(n, 6) in mm and rad."""
    sigma: Floats
    """(n, 6); NaN where the parameter was fixed."""


def panel_rows(record: CalibrationRecord) -> list[dict[str, Any]]:
    """One mapping per panel, column name to value."""
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


def read_panels(
    connection: Connection, calibration: int, freedom: Freedom, name: str
) -> Panels | None:
    """The panels of the calibration at a log position; None if their hash is not ``name``."""
    return verified(_OF_CALIBRATION.rows(connection, calibration=calibration), freedom, name)


def verified(rows: Sequence[Any], freedom: Freedom, name: str) -> Panels | None:
    """Convert rows of ``COLUMNS``, in order; None if their hash is not ``name``."""
    n = len(rows)
    index, names, status, n_reflections, *floats = (
        zip(*rows, strict=True) if n else ((),) * len(COLUMNS)
    )
    try:
        table = np.array(floats, dtype=np.float64).T
        values, sigma = np.ascontiguousarray(table[:, :N_PARAMETERS]), table[:, N_PARAMETERS:]
        values.flags.writeable = False
        free = sigma if freedom is Freedom.FULL else sigma[:, freedom.free]
        found = panels_id(names, status, n_reflections, values, free)
    except (InputError, TypeError, ValueError):  # not a number, or not finite
        return None
    if found != name or index != tuple(range(n)):
        return None
    if freedom is not Freedom.FULL and not _fixed_sigmas_are_null(floats[N_PARAMETERS:], freedom):
        return None
    return Panels(names, status, n_reflections, values, sigma)


def _fixed_sigmas_are_null(sigmas: Sequence[Sequence[Any]], freedom: Freedom) -> bool:
    """Whether the sigmas of fixed parameters are all null."""
    free = freedom.free
    return all(i in free or column.count(None) == len(column) for i, column in enumerate(sigmas))
