"""What comes of a derivation, from files or from summaries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from calib.errors import InputError, SolveError
from calib.model.store.record import CalibrationRecord, DetectorRecord, StoredCalibration


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """What came of a derivation."""

    record: CalibrationRecord
    stored: StoredCalibration | None
    """None in a dry run."""
    new: bool
    """False where the same derivation had been stored before."""
    registered: DetectorRecord | None
    """The detector, where the store did not know it before."""
    freedom_reason: str
    notices: tuple[str, ...]
    seconds: float


@contextmanager
def solvable() -> Iterator[None]:
    """Numbers with which the solver gets nowhere, in words: raises ``SolveError``."""
    try:
        yield
    except (np.linalg.LinAlgError, InputError) as error:
        why = f"{error}."
        if isinstance(error, InputError):
            if error.code != "not-finite" or error.place:  # a place tells better
                raise
            why = error.problem
        raise SolveError(
            "not-solvable",
            f"the equations of these data cannot be solved: {why}",
            remedy="leave datasets out one by one; look for senseless positions or variances.",
        ) from error
