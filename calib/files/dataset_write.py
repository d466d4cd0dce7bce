"""Datasets as the pair of files that a data reduction program would leave behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.errors import InputError
from calib.files.expt_write import experiments_bytes
from calib.files.refl import Column, Table, table_bytes
from calib.files.safe import Outputs
from calib.model.arrays import Floats
from calib.model.dataset import Dataset
from calib.model.parallax import px_from_mm


def write_dataset(dataset: Dataset, folder: Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write ``NAME.expt`` and ``NAME.refl`` into a folder; their paths.

    Raises ``InputError`` for stills, and what ``safe.Outputs`` raises.
    """
    expt, refl = folder / f"{dataset.name}.expt", folder / f"{dataset.name}.refl"
    with Outputs(force=force) as outputs:
        outputs.stage(expt, experiments_bytes(dataset.experiments))
        outputs.stage(refl, table_bytes(_table(dataset)))
        outputs.commit()
    return expt, refl


def _table(dataset: Dataset) -> Table:
    table, models = dataset.reflections, dataset.experiments
    n = len(table)
    px = np.column_stack(
        [
            px_from_mm(table.centroid_mm[:, :2], table.panel, dataset.detector),
            _images(dataset),
        ]
    )
    pixel = np.array([shape.pixel_mm for shape in dataset.detector.panels])[table.panel]
    width = np.array([models.scans[e.scan or 0].width_rad for e in models.experiments])
    per_mm = np.column_stack([pixel, width[table.experiment]])
    identifiers = {
        index: entry.identifier
        for index, entry in enumerate(models.experiments)
        if entry.identifier
    }
    vectors = "vec3<double>"
    columns = {
        "entering": Column("bool", np.zeros(n, dtype=np.bool_)),
        "flags": Column("std::size_t", table.flags.astype(np.uint64)),
        "id": Column("int", table.experiment.astype(np.int32)),
        "miller_index": Column("cctbx::miller::index<>", table.miller_index.astype(np.int32)),
        "panel": Column("std::size_t", table.panel.astype(np.uint64)),
        "s1": Column(vectors, _diffracted(dataset)),
        "xyzobs.mm.value": Column(vectors, table.centroid_mm),
        "xyzobs.mm.variance": Column(vectors, table.variance_mm),
        "xyzobs.px.value": Column(vectors, px),
        "xyzobs.px.variance": Column(vectors, table.variance_mm / per_mm**2),
    }
    return Table(n, identifiers, columns)


def _images(dataset: Dataset) -> Floats:
    """(n,) phi in images from the start of the first one, plus the number before it."""
    models, table = dataset.experiments, dataset.reflections
    out = np.zeros(len(table))
    for index, entry in enumerate(models.experiments):
        if entry.scan is None:
            raise InputError("no-scan", "only rotation scans can be written.", place=dataset.name)
        scan, mine = models.scans[entry.scan], table.experiment == index
        turned = (table.centroid_mm[mine, 2] - scan.start_rad) / scan.width_rad
        out[mine] = turned + scan.image_range[0] - 1
    return out


def _diffracted(dataset: Dataset) -> Floats:
    """(n, 3) diffracted wave vectors in 1/Angstrom towards the observed spots."""
    table, frames = dataset.reflections, dataset.detector.frames
    lab = np.einsum("nij,nj->ni", frames.rotation[table.panel][:, :, :2], table.centroid_mm[:, :2])
    lab += frames.origin_mm[table.panel]
    beams = dataset.experiments.beams
    wavelength = np.array(
        [beams[entry.beam].wavelength_angstrom for entry in dataset.experiments.experiments]
    )
    length = np.linalg.norm(lab, axis=1) * wavelength[table.experiment]
    return np.asarray(lab / length[:, None])
