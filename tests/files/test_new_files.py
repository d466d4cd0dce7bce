"""New experiment lists and reflection tables read back as the same models."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from calib.errors import InputError
from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.refl import ELEMENTS
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import ExperimentList
from calib.model.experiment.parallax import mm_from_px
from calib.simulate.scan import ScanPlan, simulated_scan

POSE = RigidMotion(
    rotation_from_vector(np.array([np.pi, 0.01, -0.02])), np.array([-126.0, 144.0, -200.0])
)


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    plan = ScanPlan(
        n_reflections=300, range_rad=0.5, epoch=1.5e9, sensor_mm=0.32, panel_identifier="S/N 1-2"
    )
    layout = known_layout("PILATUS 2M")
    rng = np.random.default_rng(1)
    return simulated_scan(rng, layout, Correction.none(len(layout)), POSE, plan, "sim").dataset


def read_again(models: ExperimentList, template: str = "") -> ExperimentList:
    data = experiments_bytes(models, imageset_template=template)
    return ExperimentFile.parse(data, "new.expt").experiments


def test_a_written_list_reads_back_as_the_same_models(dataset: Dataset) -> None:
    models = dataset.experiments
    read = read_again(models, "a_{imageset}_####.cbf")
    assert read.experiments[0].identifier == models.experiments[0].identifier
    assert read.experiments[0].imageset == 0
    one, other = read.detectors[0], models.detectors[0]
    assert one.panels == other.panels
    assert one.identifier == other.identifier == "S/N 1-2"
    assert one.lab_from_root is not None
    assert other.lab_from_root is not None
    np.testing.assert_allclose(one.lab_from_root.rotation, other.lab_from_root.rotation, atol=1e-15)
    np.testing.assert_array_equal(
        one.lab_from_root.translation_mm, other.lab_from_root.translation_mm
    )
    np.testing.assert_allclose(one.frames.rotation, other.frames.rotation, atol=1e-14)
    np.testing.assert_allclose(one.frames.origin_mm, other.frames.origin_mm, atol=1e-11)
    for name in ("parallax", "mu_per_mm", "thickness_mm"):
        np.testing.assert_array_equal(getattr(one.sensors, name), getattr(other.sensors, name))
    np.testing.assert_array_equal(read.crystals[0].real_space, models.crystals[0].real_space)
    np.testing.assert_allclose(read.beams[0].s0, models.beams[0].s0)
    assert read.scans[0].image_range == models.scans[0].image_range
    assert read.scans[0].width_rad == pytest.approx(models.scans[0].width_rad, rel=1e-15)
    assert read.scans[0].epoch == 1.5e9
    assert (read.goniometers[0].axis == models.goniometers[0].axis).all()


def test_a_written_list_without_root_is_in_the_laboratory_frame(dataset: Dataset) -> None:
    floating = replace(dataset.detector, lab_from_root=None)
    read = read_again(replace(dataset.experiments, detectors=(floating,)))
    assert read.detectors[0].lab_from_root is None
    np.testing.assert_allclose(
        read.detectors[0].frames.origin_mm, floating.frames.origin_mm, atol=1e-11
    )


def test_without_a_template_there_is_no_imageset(dataset: Dataset) -> None:
    content = json.loads(experiments_bytes(dataset.experiments))
    assert content["imageset"] == []
    assert "imageset" not in content["experiment"][0]
    named = json.loads(experiments_bytes(dataset.experiments, imageset_template="a_{imageset}.cbf"))
    assert named["imageset"][0]["template"] == "a_0.cbf"


def test_imagesets_of_stills_are_not_written(dataset: Dataset) -> None:
    still = replace(dataset.experiments.experiments[0], scan=None, goniometer=None)
    models = replace(dataset.experiments, experiments=(still,))
    with pytest.raises(InputError, match="an imageset of stills cannot be written"):
        experiments_bytes(models, imageset_template="a.cbf")
    assert read_again(models).experiments[0].scan is None


def test_a_panel_identifier_replaces_the_detectors_own(dataset: Dataset) -> None:
    data = experiments_bytes(dataset.experiments, panel_identifier="PILATUS 2M, S/N 24-0107")
    models = ExperimentFile.parse(data, "new.expt").experiments
    assert models.detectors[0].identifier == "PILATUS 2M, S/N 24-0107"


def test_a_new_table_contains_reflections_with_pixels_and_rays(dataset: Dataset) -> None:
    table, reflections = dataset_table(dataset), dataset.reflections
    assert table.identifiers == {0: dataset.experiments.experiments[0].identifier}
    for name, column in table.columns.items():
        assert not isinstance(column.values, bytes)
        assert column.values.dtype == np.dtype(ELEMENTS[column.typename][0]), name
    np.testing.assert_array_equal(table.array("xyzobs.mm.value"), reflections.centroid_mm)
    px = table.array("xyzobs.px.value")
    back = mm_from_px(px[:, :2], reflections.panel, dataset.detector)
    np.testing.assert_allclose(back, reflections.centroid_mm[:, :2], atol=1e-4)
    scan = dataset.experiments.scans[0]
    np.testing.assert_allclose(
        scan.start_rad + px[:, 2] * scan.width_rad, reflections.centroid_mm[:, 2]
    )
    s1, beam = table.array("s1"), dataset.experiments.beams[0]
    np.testing.assert_allclose(np.linalg.norm(s1, axis=1), 1.0 / beam.wavelength_angstrom)
    # On the Ewald sphere |s1 - s0| is the length of A h.
    length = np.linalg.norm(
        reflections.miller_index @ dataset.experiments.crystals[0].a_matrix.T, axis=1
    )
    off = np.linalg.norm(s1 - beam.s0, axis=1) / length - 1.0
    assert float(np.median(np.abs(off))) < 5e-3


def test_entering_reflections_are_those_that_move_into_the_sphere(dataset: Dataset) -> None:
    models, reflections = dataset.experiments, dataset.reflections
    axis, s0 = models.goniometers[0].axis, models.beams[0].s0
    r = reflections.miller_index @ models.crystals[0].a_matrix.T
    inward = []
    for phi, vector in zip(reflections.centroid_mm[:, 2], r, strict=True):
        before, after = (
            np.linalg.norm(s0 + rotation_from_vector(axis * angle) @ vector)
            for angle in (phi - 1e-4, phi + 1e-4)
        )
        inward.append(after < before)
    assert 0 < sum(inward) < len(inward)
    np.testing.assert_array_equal(dataset_table(dataset).array("entering"), inward)
