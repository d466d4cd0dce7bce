"""Check that a reflection table and an experiment list belong to the same data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.base.bounds import PX
from calib.model.detector.frames import rotation_from_vector
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.parallax import mm_from_px
from calib.model.experiment.reflections import Reflections

PX_TOLERANCE = 0.02
"""Positions in mm and in px that differ by more than this, in px, are reported."""
EDGE_PX = 10.0
"""How far outside its panel, in px, a reflection may be."""
SAMPLE = 20_000

_FAR = 0.1
_FAR_OFF_GRID = (0.08, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class IndexingResidual:
    """Distances of reflections from the positions predicted by their Miller indices."""

    relative: Floats
    """(n,) |r_observed - r_predicted| / |r_predicted|, without unit."""
    off_grid: Floats
    """(n,) the largest of |h - h_observed| over the three indices."""

    @property
    def is_far(self) -> bool:
        """Whether the median is too far for data that were ever indexed with this model.

        Real data are within 2 % and 0.3 indices (the tolerance of ``dials.index``), even when the
        model was never refined. A detector pose that is wrong by 2 mm and 5 mrad gives up to 7 %,
        from which the solver converges; a cell that is wrong by a tenth gives 9 %, another crystal
        or geometry more than 10 %.
        """
        if not len(self.relative):
            return False
        relative, off_grid = float(np.median(self.relative)), float(np.median(self.off_grid))
        return relative > _FAR or (relative > _FAR_OFF_GRID[0] and off_grid > _FAR_OFF_GRID[1])


def indexing_residual(
    models: ExperimentList, detector: Detector, reflections: Reflections
) -> IndexingResidual:
    """The indexing residuals of reflections, or of a sample; all experiments must have a crystal.

    r_observed = F^-1 R(phi)^-1 S^-1 (s1 - s0) against A h; without goniometer (stills) R, S and F
    are 1.
    """
    if len(reflections) > SAMPLE:
        step = np.linspace(0, len(reflections) - 1, SAMPLE).astype(np.int64)
        reflections = reflections.where(step)
    used, row = np.unique(reflections.experiment, return_inverse=True)
    entries = [models.experiments[index] for index in used]
    beams = [models.beams[entry.beam] for entry in entries]
    crystals = [models.crystals[entry.crystal or 0] for entry in entries]
    gonios = [None if e.goniometer is None else models.goniometers[e.goniometer] for e in entries]
    s0 = _stacked([beam.s0 for beam in beams], (3,))[row]
    a_matrix = _stacked([crystal.a_matrix for crystal in crystals], (3, 3))
    axis = _stacked([np.zeros(3) if g is None else g.axis for g in gonios], (3,))[row]
    setting = _stacked([np.eye(3) if g is None else g.setting for g in gonios], (3, 3))[row]
    fixed = _stacked([np.eye(3) if g is None else g.fixed for g in gonios], (3, 3))[row]
    frames = detector.frames
    lab = frames.origin_mm[reflections.panel] + np.einsum(
        "nij,nj->ni", frames.rotation[reflections.panel][:, :, :2], reflections.centroid_mm[:, :2]
    )
    length = np.linalg.norm(lab, axis=1) / np.linalg.norm(s0, axis=1)
    r = lab / length[:, None] - s0
    turn = rotation_from_vector(axis * reflections.centroid_mm[:, 2:])
    r_observed = np.einsum("nji,nkj,nlk,nl->ni", fixed, turn, setting, r, optimize=True)
    r_predicted = np.einsum("nij,nj->ni", a_matrix[row], reflections.miller_index)
    h_observed = np.einsum("nij,nj->ni", np.linalg.inv(a_matrix)[row], r_observed)
    return IndexingResidual(
        np.linalg.norm(r_observed - r_predicted, axis=1) / np.linalg.norm(r_predicted, axis=1),
        np.abs(h_observed - reflections.miller_index).max(axis=1, initial=0.0),
    )


def outside_panel(reflections: Reflections, detector: Detector) -> Bools:
    """(n,) whether a reflection lies off its panel, by more than any parallax could account for."""
    pixel_mm = np.array([shape.pixel_mm for shape in detector.panels])[reflections.panel]
    size_px = np.array([shape.size_px for shape in detector.panels])[reflections.panel]
    px = reflections.centroid_mm[:, :2] / pixel_mm
    return np.asarray(((px < -EDGE_PX) | (px > size_px + EDGE_PX)).any(axis=1))


@dataclass(slots=True)
class PxAgreement:
    """How far the positions on one detector agree in mm and in px, under its own model."""

    n: int = 0
    n_off: int = 0
    """Positions that differ by more than ``PX_TOLERANCE``."""
    worst_px: float = 0.0
    known: bool = True
    """False where a position in px is NaN or infinite; px is not compared then."""

    def add(self, mm: Floats, px: Floats, panel: Ints, detector: Detector) -> None:
        """Compare more positions (n, 2) on the panels ``panel`` (n,)."""
        self.known = self.known and bool(np.isfinite(px).all())
        if not self.known:
            return
        px = np.clip(px, PX.minimum, PX.maximum)
        off = np.abs(mm - mm_from_px(px, panel, detector))
        off /= np.array([shape.pixel_mm for shape in detector.panels])[panel]
        worst = off.max(axis=1, initial=0.0)
        self.n += len(worst)
        self.n_off += int((worst > PX_TOLERANCE).sum())
        self.worst_px = max(self.worst_px, float(worst.max(initial=0.0)))

    def notices(self, name: str) -> tuple[str, ...]:
        """Notices about the table of this name."""
        if not self.known or not self.n_off:
            return ()
        return (
            f"{self.n_off} of {self.n} positions in mm in {name} differ from those in px by "
            f"more than {PX_TOLERANCE} px (at most {self.worst_px:.2f} px) under the detector's "
            "own model; the mm are taken as they are.",
        )


def _stacked(arrays: list[Floats], shape: tuple[int, ...]) -> Floats:
    return np.array(arrays).reshape(-1, *shape)
