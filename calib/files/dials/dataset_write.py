"""Write datasets as the pair of files that DIALS would write."""

from __future__ import annotations

from pathlib import Path

from calib.files.atomic import Outputs
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.refl import table_bytes
from calib.files.dials.refl_write import dataset_table
from calib.files.kinds import EXPERIMENTS, REFLECTIONS
from calib.model.experiment.dataset import Dataset


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
