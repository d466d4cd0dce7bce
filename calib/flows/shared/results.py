"""The result of a derivation, from files or from summaries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from calib.errors import InputError, SolveError
from calib.model.store.record import CalibrationRecord, DetectorRecord, StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """The result of a derivation."""

    record: CalibrationRecord
    stored: StoredCalibration | None
    """None in a dry run."""
    new: bool
    """False where the same derivation was stored before."""
    registered: DetectorRecord | None
    """The detector, where it was registered with this derivation."""
    freedom_reason: str
    notices: tuple[str, ...]
    seconds: float


@contextmanager
def solver_errors() -> Iterator[None]:
    """Raise ``SolveError`` where the equations of the data cannot be solved."""
    try:
        yield
    except (np.linalg.LinAlgError, InputError) as error:
        why = f"{error}."
        if isinstance(error, InputError):
            if error.code != "not-finite" or error.place:  # a place names the cause
                raise
            why = error.problem
        raise SolveError(
            "not-solvable",
            f"the equations of these data cannot be solved: {why}",
            remedy="leave out datasets one by one; look for invalid positions or variances.",
        ) from error
