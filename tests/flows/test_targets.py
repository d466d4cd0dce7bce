"""Which detector each row of a reflection table belongs to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import experiments_bytes
from calib.flows.shared.targets import detector_of_rows
from calib.model.base.arrays import Ints
from calib.model.experiment.experiment import Experiment, ExperimentList
from calib.model.experiment.reflections import Positions
from support.simulated import NIGHT_1, measured


def file_of(detectors: tuple[int, ...], imagesets: tuple[int | None, ...]) -> ExperimentFile:
    """Experiments on these of two detectors, each with its imageset."""
    a = measured("a", 150.0, NIGHT_1, seed=1, n_reflections=10).experiments
    b = measured("b", 200.0, NIGHT_1, seed=2, n_reflections=10).experiments
    entries = tuple(
        Experiment(f"e{k}", 0, detector, 0, 0, None, imageset)
        for k, (detector, imageset) in enumerate(zip(detectors, imagesets, strict=True))
    )
    models = ExperimentList(
        experiments=tuple(replace(entry, imageset=None) for entry in entries),
        beams=a.beams,
        detectors=(*a.detectors, *b.detectors),
        goniometers=a.goniometers,
        scans=a.scans,
        crystals=(),
    )
    file = ExperimentFile.parse(experiments_bytes(models), "both.expt")
    return replace(file, experiments=replace(file.experiments, experiments=entries))


def rows(file: ExperimentFile, experiment: list[int], imageset: list[int] | None) -> list[int]:
    """The detector of each row."""
    numbers: Ints = np.array(experiment, dtype=np.int64)
    positions = Positions(
        experiment=numbers,
        imageset=None if imageset is None else np.array(imageset, dtype=np.int32),
        panel=np.zeros_like(numbers),
        centroid_mm=np.zeros((len(numbers), 3)),
        centroid_px=None,
    )
    return [int(k) for k in detector_of_rows(file.experiments, positions)]


def test_an_indexed_reflection_is_on_its_experiments_detector() -> None:
    file = file_of((0, 1, 0), (0, 1, 2))
    assert rows(file, [0, 1, 2, 1], None) == [0, 1, 0, 1]


def test_an_unindexed_reflection_is_on_the_detector_of_its_images() -> None:
    file = file_of((0, 1, 0), (0, 1, 2))
    assert rows(file, [-1, -1, -1, 0], [0, 1, 2, 1]) == [0, 1, 0, 0]


def test_a_reflection_on_images_of_two_detectors_has_no_detector() -> None:
    file = file_of((0, 1), (0, 0))
    assert rows(file, [-1, 0, 1], [0, 0, 0]) == [-1, 0, 1]


def test_an_unindexed_reflection_without_imageset_has_no_detector() -> None:
    file = file_of((0, 1), (0, 1))
    assert rows(file, [-1, 1], None) == [-1, 1]


@pytest.mark.parametrize("imageset", [None, [0, 7, 0]])
def test_all_reflections_are_on_the_only_detector(imageset: list[int] | None) -> None:
    file = file_of((1, 1), (0, 1))
    assert rows(file, [-1, 0, 1], imageset) == [1, 1, 1]
