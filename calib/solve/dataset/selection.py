"""Selection of usable reflections, and their folds for validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calib.model.base.arrays import Bools, Floats, Ints
from calib.model.experiment.dataset import Dataset

_SHORTEST_COMPARED_RAD = np.radians(20.0)
"""Range of a scan whose halves are compared."""
_HELD_OUT_EVERY = 5
_SHORT_BLOCK_RAD = np.radians(2.0)
_FEWEST_BLOCKS = 15
_SPINDLE_CUTOFF = 0.02
"""Reflections closer to the spindle, by |(s1 x s0) . axis| with s1 and s0 of length 1/wavelength in
1/Angstrom, are excluded: the default of DIALS."""
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """The e experiments of a dataset, as arrays."""

    still: Bools
    """(e,)"""
    usable: Bools
    """(e,) whether there is a crystal and, unless it is a still, a scan with a goniometer."""
    start_rad: Floats
    end_rad: Floats
    width_rad: Floats
    """(e,) start, end and image width of the scan; 0 for stills."""
    beam: Floats
    """(e, 3) 1/Angstrom, vectors of length 1/wavelength along the beam."""
    spindle: Floats
    """(e, 3) unit vectors along the rotation axis, 0 for stills."""

    @staticmethod
    def of(dataset: Dataset) -> _Entries:
        models = dataset.experiments
        beams = np.array([beam.mean_s0 for beam in models.beams])
        spans = [(scan.start_rad, scan.end_rad, scan.width_rad) for scan in models.scans]
        axes = [goniometer.mean_setting @ goniometer.axis for goniometer in models.goniometers]
        entries, still = models.experiments, models.stills
        crystal = np.array([e.crystal is not None for e in entries])
        turns = np.zeros(len(entries), dtype=np.bool_)
        span, spindle = np.zeros((len(entries), 3)), np.zeros((len(entries), 3))
        for place, entry in enumerate(entries):
            if entry.scan is not None and entry.goniometer is not None and not still[place]:
                turns[place] = True
                span[place], spindle[place] = spans[entry.scan], axes[entry.goniometer]
        start, end, width = span.T
        return _Entries(
            still=still,
            usable=crystal & (still | turns),
            start_rad=np.minimum(start, end),
            end_rad=np.maximum(start, end),
            width_rad=np.abs(width),
            beam=beams[[e.beam for e in entries]],
            spindle=spindle,
        )


def fit_for_use(dataset: Dataset) -> Bools:
    """Mask (n,) of the reflections with a position, a variance and a crystal and, of scans, with
    an angle within the scan and not too close to the spindle."""
    table, entries = dataset.reflections, _Entries.of(dataset)
    good: Bools = np.zeros(len(table), dtype=np.bool_)
    for low in range(0, len(table), _CHUNK):
        part = slice(low, low + _CHUNK)
        experiment = np.maximum(table.experiment[part], 0)
        xyz, variance = table.centroid_mm[part], table.variance_mm[part]
        still = entries.still[experiment]
        fine = entries.usable[experiment] & (table.experiment[part] >= 0)
        fine &= np.isfinite(xyz[:, :2]).all(axis=1) & (variance[:, :2] > 0.0).all(axis=1)
        scan = np.flatnonzero(fine & ~still)
        mine, phi = experiment[scan], xyz[scan, 2]
        direction = _towards_spot(dataset, table.panel[part][scan], xyz[scan, :2])
        beam = entries.beam[mine]
        volume = np.abs((np.cross(direction, beam) * entries.spindle[mine]).sum(axis=1))
        volume *= np.linalg.norm(beam, axis=1)
        slack = entries.width_rad[mine]
        fine[scan] = (
            (variance[scan, 2] > 0.0)
            & (phi >= entries.start_rad[mine] - slack)
            & (phi <= entries.end_rad[mine] + slack)
            & (volume > _SPINDLE_CUTOFF)
        )
        good[part] = fine
    return good


def folds_of(dataset: Dataset, keep: Ints) -> Ints:
    """Folds (len(keep),) of these reflections: 4 * late + 2 * half + held out.

    Scans are cut into blocks of phi that are short compared with the crystal's variation: odd
    blocks form one half, even blocks the other; every fifth is held out, but never the first or
    last of a scan. Reflections are late in the last half of a scan that is long enough for its
    halves to be compared. Of stills, which have no neighbours, alternate ones form the halves, and
    every fifth reflection of each is held out.
    """
    table, entries = dataset.reflections, _Entries.of(dataset)
    experiment = table.experiment[keep]
    fold = np.zeros(len(keep), dtype=np.int8)
    scan = np.flatnonzero(~entries.still[experiment])
    if len(scan):
        mine, phi = experiment[scan], table.centroid_mm[keep[scan], 2]
        span = (entries.end_rad - entries.start_rad)[mine]
        n_blocks = np.maximum(_FEWEST_BLOCKS, np.ceil(span / _SHORT_BLOCK_RAD)).astype(np.int64)
        block = ((phi - entries.start_rad[mine]) / span * n_blocks).astype(np.int64)
        block = np.clip(block, 0, n_blocks - 1)
        held = (block % _HELD_OUT_EVERY == _HELD_OUT_EVERY // 2) & (block < n_blocks - 1)
        late = (phi - entries.start_rad[mine] > 0.5 * span) & (span > _SHORTEST_COMPARED_RAD)
        fold[scan] = 4 * late + 2 * (block % 2) + held
    still = np.flatnonzero(entries.still[experiment])
    if len(still):
        still = still[np.argsort(experiment[still], kind="stable")]
        mine = experiment[still]
        new = np.concatenate([[True], np.diff(mine) != 0])
        first = np.maximum.accumulate(np.where(new, np.arange(len(mine)), 0))
        held = (np.arange(len(mine)) - first) % _HELD_OUT_EVERY == _HELD_OUT_EVERY // 2
        fold[still] = 2 * ((np.cumsum(new) - 1) % 2) + held
    return fold


def _towards_spot(dataset: Dataset, panel: Ints, xy_mm: Floats) -> Floats:
    """Unit vectors (n, 3) from the sample to observed spots, with the panels as in the file."""
    frames = dataset.detector.frames
    lab = np.einsum("nij,nj->ni", frames.rotation[panel][:, :, :2], xy_mm)
    lab += frames.origin_mm[panel]
    return np.asarray(lab / np.linalg.norm(lab, axis=1, keepdims=True))
