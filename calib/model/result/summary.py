"""What one dataset says of the panels, small enough to keep for ever.

A summary holds the normal equations of a dataset with its crystals, pose and beam eliminated,

    N (x - x0) = v,

over all six correction parameters x of every panel (mm and rad), whatever freedom was solved for:
linearised at the correction x0, without prior and without gauge. Sums of summaries are solved like
those of datasets. N is kept as it arises, N = D - F^T F, with D what each panel's reflections
would say by themselves and F what the elimination took away.
"""

from __future__ import annotations

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
from calib.model.result.report import DatasetUse

FORMAT = "calib/summary/1"


class Part(StrEnum):
    """Which of a dataset's reflections an equation is made of."""

    WHOLE = "whole"
    """All that are used."""
    WORKING = "working"
    """All but the held-out ones."""
    HALF_A = "half_a"
    HALF_B = "half_b"
    """Two independent halves."""


@dataclass(frozen=True, slots=True, eq=False)
class Equations:
    """Reduced normal equations over the six parameters of n panels, in mm and rad."""

    own: Floats
    """(n, 6, 6) D: what each panel's reflections say with everything else known."""
    coupling: Floats
    """(r, 6 n) F: the nuisance that was eliminated, so that N = D - F^T F."""
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
    """What one dataset says, and how well it was fitted where it was linearised."""

    use: DatasetUse
    """Names, hashes, counts, distance, wavelength, weight scale and residuals."""
    point: Correction
    """x0, the correction that the equations are linearised at."""
    whole: Equations
    working: Equations
    half_a: Equations
    half_b: Equations
    chi_square: float
    """Weighted sum of squared residuals at x0."""
    n_data: float
    """How many residuals these are, each counting as much as it is trusted."""
    n_nuisance: int
    """How many parameters of pose, crystals and beam were refined."""
    kept: str
    """The rejection that it rests on: a hash over the reflections that were used."""
    used_on_panel: Ints
    """(2, n) reflections used on each panel, in each of the halves."""
    rejected_on_panel: Ints
    """(n,) rejected as outliers."""
    flagged_on_panel: Ints
    """(n,) indexed, but kept out by flags that came with the data."""
    fits: FitTable
    """Residuals on used and on held-out reflections: all, and those of each panel."""
    shells: ShellTable
    """Held-out residuals in narrow shells whose limits are the same for all datasets."""
    n_held_out: tuple[int, int]
    """Held-out reflections beyond five robust sigma of either model, and all that there are."""
    null_directions: tuple[str, ...]
    """Directions of pose and beam that the data do not determine, in words."""

    def __post_init__(self) -> None:
        # What a dataset was among others is no property of its own.
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
                raise InputError("bad-shape", f"equations of another layout than {n} panels.")
        for name, shape in (
            ("used_on_panel", (2, n)),
            ("rejected_on_panel", (n,)),
            ("flagged_on_panel", (n,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int64, shape, name))
        if len(self.fits) != 1 + n:
            raise InputError("bad-shape", f"residuals of {len(self.fits) - 1} panels, not of {n}.")

    def part(self, part: Part) -> Equations:
        """The equations made of these reflections."""
        found: Equations = getattr(self, part.value)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """A statement with where it comes from."""

    statement: Statement
    serial: str
    """The detector's."""
    layout_id: str
    """The name of the layout that the panels belong to."""
    code_version: str
    """Of the program that made it."""
    started: datetime | None
    """When the data were taken, UTC; None where unknown."""

    _names: tuple[str, str] | None = field(default=None, init=False, repr=False)

    @property
    def id(self) -> str:
        """The SHA-256 of the canonical content: not of what people call the dataset, nor of when
        it was taken."""
        return self._hashes()[0]

    @property
    def checksum(self) -> str:
        """The SHA-256 over everything that it holds."""
        return self._hashes()[1]

    def _hashes(self) -> tuple[str, str]:
        if self._names is None:
            content = self._content()
            said = content_id(content)
            more = {
                "format": FORMAT,
                "id": said,
                "name": self.statement.use.name,
                "started": self.started,
            }
            object.__setattr__(self, "_names", (said, content_id(more)))
        assert self._names is not None  # noqa: S101 - just made
        return self._names

    def _content(self) -> dict[str, Any]:
        """What names it, for the canonical form; residuals as JSON text, since there are many."""
        said = self.statement
        use = to_content(said.use)
        del use["name"]
        fit, *panels = said.fits.texts()
        residuals = f"[{fit}, [{', '.join(panels)}], [{', '.join(said.shells.texts())}]]"
        return {
            "format": FORMAT,
            "serial": self.serial,
            "layout": self.layout_id,
            "code_version": self.code_version,
            "use": use,
            "residuals": residuals,
            "point": said.point.values,
            **{part.value: _equations_content(said.part(part)) for part in Part},
            "chi_square": said.chi_square,
            "n_data": said.n_data,
            "n_nuisance": said.n_nuisance,
            "kept": said.kept,
            "used_on_panel": said.used_on_panel.tolist(),
            "rejected_on_panel": said.rejected_on_panel.tolist(),
            "flagged_on_panel": said.flagged_on_panel.tolist(),
            "n_held_out": list(said.n_held_out),
            "null_directions": list(said.null_directions),
        }


@dataclass(frozen=True, slots=True)
class SummaryFile:
    """A summary as the bytes of its file."""

    id: str
    content: bytes


def _equations_content(equations: Equations) -> dict[str, Any]:
    return {
        "own": equations.own,
        "coupling": equations.coupling,
        "vector": equations.vector,
    }
