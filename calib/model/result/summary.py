"""Summaries: the reduced normal equations of one dataset, small enough to keep for ever.

A summary holds the normal equations of a dataset with its crystals, pose and beam eliminated,

    N (x - x0) = v,

over all six correction parameters x of every panel (mm and rad), whichever of them were free,
linearised at the correction x0, without prior and without gauge. The sum of summaries is solved
like that of datasets. N is stored as N = D - F^T F, where D is block-diagonal (each panel with all
nuisance parameters known) and F comes from the elimination.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np

from calib.errors import InputError
from calib.model.base.arrays import Floats, Ints, frozen, frozen_floats
from calib.model.base.canonical import content_id
from calib.model.base.content import to_content
from calib.model.detector.correction import N_PARAMETERS, Correction
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.panel_sums import PanelSums
from calib.model.result.report import DatasetUse

FORMAT = "calib/summary/1"
"""The format of the content that is hashed, whatever file it is in."""
FILE_FORMAT = "calib/summary/2"
"""The format in which files are written and stores record summaries."""


class Part(StrEnum):
    """The reflections of a dataset that enter the equations."""

    WHOLE = "whole"
    """All used reflections."""
    WORKING = "working"
    """All used reflections but the held-out ones."""
    HALF_A = "half_a"
    HALF_B = "half_b"
    """Two independent halves."""


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Reduced normal equations over the six parameters of n panels, in mm and rad."""

    own: Floats
    """(n, 6, 6) D: the information on each panel with everything else known."""
    coupling: Floats
    """(r, 6 n) F: the effect of the eliminated nuisance parameters, N = D - F^T F."""
    vector: Floats
    """(6 n,) v."""

    def __post_init__(self) -> None:
        n = len(self.own)
        object.__setattr__(
            self, "own", frozen_floats(self.own, (n, N_PARAMETERS, N_PARAMETERS), "own")
        )
        coupling = frozen_floats(self.coupling, (None, N_PARAMETERS * n), "coupling")
        object.__setattr__(self, "coupling", coupling)
        object.__setattr__(
            self, "vector", frozen_floats(self.vector, (N_PARAMETERS * n,), "vector")
        )

    @property
    def information(self) -> Floats:
        """(6 n, 6 n) N."""
        n = len(self.own)
        out = -(self.coupling.T @ self.coupling)
        panels = out.reshape(n, N_PARAMETERS, n, N_PARAMETERS)
        panels[np.arange(n), :, np.arange(n)] += self.own
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """The equations of one dataset, and the quality of its fit at the linearisation point."""

    use: DatasetUse
    """Names, hashes, counts, distance, wavelength, weight scale and residuals."""
    point: Correction
    """x0, the linearisation point of the equations."""
    whole: Equations
    working: Equations
    half_a: Equations
    half_b: Equations
    chi_square: float
    """Weighted sum of squared residuals at x0."""
    n_data: float
    """Number of residuals, each counted with its robust weight."""
    n_nuisance: int
    """Number of refined parameters of pose, crystals and beam."""
    kept: str
    """The outlier rejection: a hash over the reflections that were used."""
    used_on_panel: Ints
    """(2, n) reflections used on each panel, for each half."""
    rejected_on_panel: Ints
    """(n,) rejected as outliers."""
    flagged_on_panel: Ints
    """(n,) indexed, but excluded by flags in the data."""
    fits: FitTable
    """Residuals of used and of held-out reflections: of all, and of each panel."""
    shells: ShellTable
    """Held-out residuals in narrow shells with the same limits for all datasets."""
    n_held_out: tuple[int, int]
    """Number of held-out reflections beyond five robust sigma of either model, and of all."""
    null_directions: tuple[str, ...]
    """Null directions of pose and beam, in words."""
    sums: PanelSums | None = None
    """Sums over cells of the panels and blocks of time; None if not recorded. They are among the
    additional arrays of a summary."""

    def __post_init__(self) -> None:
        # Results that depend on the other datasets do not belong to a summary.
        use = replace(
            self.use,
            left_out=None,
            influence=None,
            linearisation_error_sigma=None,
            summary="",
        )
        object.__setattr__(self, "use", use)
        n = len(self.point.values)
        for part in Part:
            if len(self.part(part).own) != n:
                raise InputError("bad-shape", f"the equations are not those of {n} panels.")
        for name, shape in (
            ("used_on_panel", (2, n)),
            ("rejected_on_panel", (n,)),
            ("flagged_on_panel", (n,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int64, shape, name))
        if len(self.fits) != 1 + n:
            raise InputError(
                "bad-shape", f"residuals of {len(self.fits) - 1} panels instead of {n}."
            )

    def part(self, part: Part) -> Equations:
        """The equations of these reflections."""
        found: Equations = getattr(self, part.value)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Additional:
    """What a summary has beyond what this program knows; kept, hashed, and not used."""

    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    """Arrays of numbers by name."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """JSON values by key."""

    def __bool__(self) -> bool:
        return bool(self.arrays or self.values)

    def content(self) -> dict[str, Any]:
        """The content that is hashed."""
        return {
            "arrays": {name: _hashed(a) for name, a in self.arrays.items()},
            "values": self.values,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A statement and its origin."""

    statement: Statement
    serial: str
    """The serial number of the detector."""
    layout_id: str
    """The hash of the layout of the panels."""
    code_version: str
    """The version of the program that made it."""
    started: datetime | None
    """When the data were taken, UTC; None if unknown."""
    additional: Additional = field(default_factory=Additional)
    """Written by a later version of the program."""

    _names: tuple[str, str] | None = field(default=None, init=False, repr=False)

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical content, without the name of the dataset and its time."""
        return self._hashes()[0]

    @property
    def checksum(self) -> str:
        """The SHA-256 of everything in it."""
        return self._hashes()[1]

    def _hashes(self) -> tuple[str, str]:
        if self._names is None:
            content = self._content()
            own = content_id(content)
            more = {
                "format": FORMAT,
                "id": own,
                "name": self.statement.use.name,
                "started": self.started,
            }
            object.__setattr__(self, "_names", (own, content_id(more)))
        assert self._names is not None  # noqa: S101 - just made
        return self._names

    def _content(self) -> dict[str, Any]:
        """The content that identifies it; residuals are JSON text, since there are many."""
        statement = self.statement
        use = to_content(statement.use)
        del use["name"]
        more = {"additional": self.additional.content()} if self.additional else {}
        fit, *panels = statement.fits.texts()
        residuals = f"[{fit}, [{', '.join(panels)}], [{', '.join(statement.shells.texts())}]]"
        return {
            "format": FORMAT,
            "serial": self.serial,
            "layout": self.layout_id,
            "code_version": self.code_version,
            "use": use,
            "residuals": residuals,
            "point": statement.point.values,
            **{part.value: _equations_content(statement.part(part)) for part in Part},
            "chi_square": statement.chi_square,
            "n_data": statement.n_data,
            "n_nuisance": statement.n_nuisance,
            "kept": statement.kept,
            "used_on_panel": statement.used_on_panel.tolist(),
            "rejected_on_panel": statement.rejected_on_panel.tolist(),
            "flagged_on_panel": statement.flagged_on_panel.tolist(),
            "n_held_out": list(statement.n_held_out),
            "null_directions": list(statement.null_directions),
            **more,
        }


@dataclass(frozen=True, slots=True)
class SummaryFile:
    """A summary as the bytes of its file."""

    id: str
    content: bytes
    """As it was recorded first."""
    converted: bytes | None = None
    """In ``FILE_FORMAT``, if it was recorded in an earlier format and has been converted."""


def _equations_content(equations: Equations) -> dict[str, Any]:
    return {
        "own": equations.own,
        "coupling": equations.coupling,
        "vector": equations.vector,
    }


def _hashed(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """An array of any type of numbers, as content."""
    stored = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {
        "dtype": stored.dtype.str,
        "shape": list(stored.shape),
        "sha256": hashlib.sha256(stored.tobytes()).hexdigest(),
    }
