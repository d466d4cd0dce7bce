"""Write datasets as the pair of files that DIALS would write, for simulated data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calib.files.atomic import Outputs
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.refl import Column, Table, table_bytes
from calib.files.kinds import EXPERIMENTS, REFLECTIONS
from calib.model.base.arrays import Floats
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.parallax import px_from_mm


def write_dataset(
    dataset: Dataset, folder: Path, *, imageset_template: str = "", force: bool = False
) -> tuple[Path, Path]:
    """Write ``NAME.expt`` and ``NAME.refl`` into a folder; their paths.

    Raises what ``expt_write.experiments_bytes`` and ``atomic.Outputs`` raise.
    """
    expt, refl = folder / f"{dataset.name}.expt", folder / f"{dataset.name}.refl"
    models = experiments_bytes(dataset.experiments, imageset_template=imageset_template)
    with Outputs(force=force) as outputs:
        outputs.stage(expt, models, EXPERIMENTS)
        outputs.stage(refl, table_bytes(dataset_table(dataset)), REFLECTIONS)
        outputs.commit()
    return expt, refl


def dataset_table(dataset: Dataset) -> Table:
    """The table of a dataset's reflections, with the columns that ``dials.refine`` asks for.

    Positions in px are those of the millimetres under the dataset's own detector; z counts images
    from 0 at the start of the first (0 for stills). s1 is the ray to the observed position, and
    ``entering`` its side of the plane of beam and spindle, as DIALS has it: s1 . (s0 x axis) < 0.
    """
    reflections, models = dataset.reflections, dataset.experiments
    n, panel = len(reflections), reflections.panel
    entries = models.experiments
    scans = [None if e.scan is None else models.scans[e.scan] for e in entries]
    gonios = [None if e.goniometer is None else models.goniometers[e.goniometer] for e in entries]
    # Images from rad: z = (phi - start) / width + the first image's number - 1.
    start = _rows([s.start_rad if s else 0.0 for s in scans], dataset)
    per_rad = _rows([1.0 / s.width_rad if s and s.width_rad else 0.0 for s in scans], dataset)
    first = _rows([s.image_range[0] - 1 if s and s.width_rad else 0 for s in scans], dataset)
    mm, frames = reflections.centroid_mm, dataset.detector.frames
    pixel_mm = np.array([shape.pixel_mm for shape in dataset.detector.panels])[panel]
    px = np.column_stack(
        [
            px_from_mm(mm[:, :2], panel, dataset.detector),
            (mm[:, 2] - start) * per_rad + first,
        ]
    )
    px_variance = reflections.variance_mm * np.column_stack([pixel_mm**-2.0, per_rad**2])
    s0 = _rows([models.beams[e.beam].s0 for e in entries], dataset)
    axis = _rows([np.zeros(3) if g is None else g.setting @ g.axis for g in gonios], dataset)
    lab = frames.origin_mm[panel] + np.einsum(
        "nij,nj->ni", frames.rotation[panel][:, :, :2], mm[:, :2]
    )
    s1 = lab / np.linalg.norm(lab, axis=1, keepdims=True)
    s1 = s1 * np.linalg.norm(s0, axis=1, keepdims=True)
    entering = np.einsum("ni,ni->n", s1, np.cross(s0, axis)) < 0.0
    imageset = _rows([e.imageset or 0 for e in entries], dataset)
    identifiers = {i: e.identifier for i, e in enumerate(entries) if e.identifier}
    columns = {
        "entering": Column("bool", entering),
        "flags": Column("std::size_t", reflections.flags.astype(np.uint64)),
        "id": Column("int", reflections.experiment.astype(np.int32)),
        "imageset_id": Column("int", imageset.astype(np.int32)),
        "miller_index": Column("cctbx::miller::index<>", reflections.miller_index.astype(np.int32)),
        "panel": Column("std::size_t", panel.astype(np.uint64)),
        "s1": Column("vec3<double>", s1),
        "xyzobs.mm.value": Column("vec3<double>", mm),
        "xyzobs.mm.variance": Column("vec3<double>", reflections.variance_mm),
        "xyzobs.px.value": Column("vec3<double>", px),
        "xyzobs.px.variance": Column("vec3<double>", px_variance),
    }
    return Table(n, identifiers, columns)


def _rows(of_experiment: list[float] | list[int] | list[Floats], dataset: Dataset) -> Floats:
    """A value per experiment, repeated for its reflections."""
    return np.asarray(np.array(of_experiment)[dataset.reflections.experiment])
