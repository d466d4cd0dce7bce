"""Experiment lists: real DIALS writes and we read; we write and real DIALS reads."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from calib.errors import FileFormatError
from calib.files.dials.dataset_write import dataset_table
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.expt_write import experiments_bytes
from calib.files.dials.pairing import load_datasets
from calib.files.dials.refl import read_table, table_bytes
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion, rotation_from_vector
from calib.model.detector.layout import PanelFrames
from calib.simulate.scan import ScanPlan, simulated_scan
from support.dials import Dials, run_script

PICOMETRE_MM = 1e-9
POSE = RigidMotion(np.diag([1.0, -1.0, -1.0]), np.array([-126.0, 144.0, -200.0]))


WRITE_EXPERIMENTS = """
import json
from dxtbx.model import (BeamFactory, Crystal, Detector, Experiment, ExperimentList,
    MultiAxisGoniometer, Panel, ParallaxCorrectedPxMmStrategy, ScanFactory)
from scitbx.array_family import flex
def panel(k):
    p = Panel()
    p.set_local_frame((1, 1e-3 * k, 0), (-1e-3 * k, 1, 0), (20.0 * k, 3.0, 0.1 * k))
    p.set_pixel_size((0.172, 0.172))
    p.set_image_size((100, 50))
    p.set_trusted_range((-1, 1e6))
    p.set_thickness(0.32)
    p.set_material("Si")
    p.set_mu(1.5)
    p.set_identifier("PILATUS, S/N 24-0107")
    p.set_name("p%d" % k)
    p.set_px_mm_strategy(ParallaxCorrectedPxMmStrategy(1.5, 0.32))
    return p
def detector(offset):
    d = Detector()
    root = d.hierarchy()
    root.set_frame((0.6, 0.8, 0), (0.8, -0.6, 0), (-30 + offset, 25, -200))
    for quadrant in range(2):
        g = root.add_group()
        g.set_local_frame((0.8, 0.6, 0), (-0.6, 0.8, 0), (50.0 * quadrant, -7, 0.5))
        for sensor in range(2):
            s = g.add_group()
            s.set_local_frame((0, 1, 0), (1, 0, 0), (5.0 * sensor, 1, 2))
            s.add_panel(panel(4 * quadrant + 2 * sensor))
            s.add_panel(panel(4 * quadrant + 2 * sensor + 1))
    return d
gonio = MultiAxisGoniometer(
    flex.vec3_double([(0, 1, 0), (0.6, 0, 0.8), (1, 0, 0), (0, 0, 1)]),
    flex.double([10, 20, 30, 40]), flex.std_string(["a", "b", "c", "d"]), 2)
beam = BeamFactory.make_beam(sample_to_source=(0.01, 0.02, 1), wavelength=0.97)
scan = ScanFactory.make_scan((3, 7), 0.1, (10.0, 0.5), {k: 1.5e9 + k for k in range(5)})
crystal = Crystal((50, 1, 0), (0, 60, 2), (3, 0, 70), "P 21 21 21")
first, second = detector(0.0), detector(1.0)
el = ExperimentList([
    Experiment(beam=beam, detector=first, goniometer=gonio, scan=scan, crystal=crystal,
        identifier="one"),
    Experiment(beam=beam, detector=second, crystal=crystal, identifier="two"),
    Experiment(beam=beam, detector=first, goniometer=gonio, scan=scan, crystal=crystal,
        identifier="three"),
])
el.as_file("e.expt")
"""


PRINT_EXPERIMENTS = """
import json
from dxtbx.model.experiment_list import ExperimentListFactory
el = ExperimentListFactory.from_json_file(NAME, check_format=False)
print(json.dumps({
    "frames": [[[p.get_fast_axis(), p.get_slow_axis(), p.get_normal(), p.get_origin()]
        for p in d] for d in el.detectors()],
    "root": [[d.hierarchy().get_fast_axis(), d.hierarchy().get_slow_axis(),
        d.hierarchy().get_origin()] for d in el.detectors()],
    "detector_of": [el.detectors().index(e.detector) for e in el],
    "names": [[p.get_name() for p in d] for d in el.detectors()],
    "strategies": [p.get_px_mm_strategy().name() for d in el.detectors() for p in d],
    "sensors": [[p.get_mu(), p.get_thickness()] for d in el.detectors() for p in d],
    "s0": [e.beam.get_s0() for e in el],
    "gonio": [e.goniometer and [e.goniometer.get_rotation_axis_datum(),
        e.goniometer.get_fixed_rotation(), e.goniometer.get_setting_rotation()] for e in el],
    "scan": [e.scan and [e.scan.get_image_range(), e.scan.get_oscillation(deg=False),
        e.scan.get_epochs()[0]] for e in el],
    "crystal": [e.crystal and [e.crystal.get_A(), e.crystal.get_space_group().type()
        .hall_symbol()] for e in el],
    "identifiers": list(el.identifiers()),
}))
"""


def models_in_dials(dials: Dials, name: str, cwd: Path) -> Any:
    return run_script(dials, f"NAME = {name!r}\n{PRINT_EXPERIMENTS}", cwd)


def lab_frames(frames: PanelFrames) -> np.ndarray[Any, Any]:
    """As printed by DIALS: (n, 4, 3) fast, slow, normal, origin."""
    axes = frames.rotation.transpose(0, 2, 1)
    return np.concatenate([axes, frames.origin_mm[:, None, :]], axis=1)


def assert_same_models(file: ExperimentFile, in_dials: Any) -> None:
    """That we read what dxtbx reads."""
    models = file.experiments
    for detector, frames in zip(models.detectors, in_dials["frames"], strict=True):
        np.testing.assert_allclose(lab_frames(detector.frames), frames, rtol=0, atol=PICOMETRE_MM)
    for entry, index, s0, gonio, scan, crystal, identifier in zip(
        models.experiments,
        in_dials["detector_of"],
        in_dials["s0"],
        in_dials["gonio"],
        in_dials["scan"],
        in_dials["crystal"],
        in_dials["identifiers"],
        strict=True,
    ):
        assert (entry.detector, entry.identifier) == (index, identifier)
        np.testing.assert_allclose(models.beams[entry.beam].s0, s0, atol=1e-12)
        assert (entry.goniometer is None) == (gonio is None)
        if entry.goniometer is not None:
            ours = models.goniometers[entry.goniometer]
            np.testing.assert_allclose(ours.axis, gonio[0], atol=1e-12)
            np.testing.assert_allclose(ours.fixed.ravel(), gonio[1], atol=1e-12)
            np.testing.assert_allclose(ours.setting.ravel(), gonio[2], atol=1e-12)
        if entry.scan is not None:
            read = models.scans[entry.scan]
            assert list(read.image_range) == scan[0]
            assert (read.start_rad, read.width_rad) == pytest.approx(tuple(scan[1]))
            assert (read.epoch or 0.0) == scan[2]
        if entry.crystal is not None:
            lattice = models.crystals[entry.crystal]
            np.testing.assert_allclose(lattice.a_matrix.ravel(), crystal[0], atol=1e-12)
            assert lattice.hall_symbol == crystal[1]


def test_experiments_that_dials_writes_mean_what_dials_says(dials: Dials, tmp_path: Path) -> None:
    in_dials = run_script(
        dials, WRITE_EXPERIMENTS + f"\nNAME = 'e.expt'\n{PRINT_EXPERIMENTS}", tmp_path
    )
    file = ExperimentFile.read(tmp_path / "e.expt")
    assert_same_models(file, in_dials)
    assert [entry.detector for entry in file.experiments.experiments] == [0, 1, 0]


def test_dials_finds_moved_panels_where_we_put_them_and_all_else_as_it_was(
    dials: Dials, tmp_path: Path
) -> None:
    before = run_script(
        dials, WRITE_EXPERIMENTS + f"\nNAME = 'e.expt'\n{PRINT_EXPERIMENTS}", tmp_path
    )
    file = ExperimentFile.read(tmp_path / "e.expt")
    rng = np.random.default_rng(5)
    old = file.root_frames(0)
    turn = rotation_from_vector(rng.normal(scale=1e-3, size=(8, 3)))
    shift = rng.normal(scale=0.1, size=(8, 3))
    changed = file.with_frames({0: PanelFrames(old.rotation @ turn, old.origin_mm + shift)})
    (tmp_path / "changed.expt").write_bytes(changed.data)
    after = models_in_dials(dials, "changed.expt", tmp_path)
    assert_same_models(changed, after)
    assert np.abs(np.array(after["frames"][0]) - before["frames"][0]).max() > 0.01
    assert after["frames"][1] == before["frames"][1]
    for key in before:
        if key != "frames":
            assert after[key] == before[key], key


def test_real_files_mean_what_dials_says(dials: Dials, real_data: Path, tmp_path: Path) -> None:
    for path in sorted(real_data.glob("*/*.expt")):
        shutil.copy(path, tmp_path / "real.expt")
        assert_same_models(ExperimentFile.read(path), models_in_dials(dials, "real.expt", tmp_path))


def test_dials_refines_a_simulated_scan_to_the_truth(dials: Dials, tmp_path: Path) -> None:
    plan = ScanPlan(
        n_reflections=3000,
        range_rad=1.5,
        epoch=1.5e9,
        sensor_mm=0.32,
        panel_identifier="PILATUS 2M, S/N 24-0107",
    )
    layout = known_layout("PILATUS 2M")
    none = Correction.none(len(layout))
    rng = np.random.default_rng(1)
    dataset = simulated_scan(rng, layout, none, POSE, plan, "sim").dataset
    (tmp_path / "sim.expt").write_bytes(
        experiments_bytes(dataset.experiments, imageset_template="sim_{imageset}_####.cbf")
    )
    (tmp_path / "sim.refl").write_bytes(table_bytes(dataset_table(dataset)))
    assert_same_models(
        ExperimentFile.read(tmp_path / "sim.expt"), models_in_dials(dials, "sim.expt", tmp_path)
    )
    shown = dials.run("dials.show", "sim.expt", "sim.refl", cwd=tmp_path).stdout
    assert "identifier:PILATUS 2M, S/N 24-0107" in shown.replace(" :", ":").replace(
        "identifier: ", "identifier:"
    )
    done = dials.run(
        "dials.refine",
        "sim.expt",
        "sim.refl",
        "scan_varying=False",
        "outlier.algorithm=null",
        "output.experiments=refined.expt",
        "output.reflections=refined.refl",
        cwd=tmp_path,
    ).stdout
    found = re.search(r"\|\s*0 \|\s*\d+ \|\s*([\d.]+) \|\s*([\d.]+) \|\s*([\d.]+) \|", done)
    assert found is not None, done
    assert np.array(found.groups(), dtype=float) == pytest.approx([0.1, 0.1, 0.1], rel=0.05)
    (refined,) = load_datasets([tmp_path / "refined.expt", tmp_path / "refined.refl"])
    assert refined.detector.lab_from_root is not None
    np.testing.assert_allclose(
        refined.detector.lab_from_root.translation_mm, POSE.translation_mm, rtol=0, atol=0.03
    )
    assert refined.notices == ()
    assert refined.epoch == 1.5e9


WRITE_PICKLES = """
from dials.array_family import flex
t = flex.reflection_table()
t["d"] = flex.double([1, 2])
t["id"] = flex.int([-1, -1])
t.as_pickle("t.pickle")
import pickle
from dxtbx.model.experiment_list import ExperimentListFactory
el = ExperimentListFactory.from_json_file("e.expt", check_format=False)
pickle.dump(el, open("e.pickle", "wb"), protocol=2)
print("0")
"""


def follow(dials: Dials, error: FileFormatError, cwd: Path) -> None:
    """Run the command that the remedy of an error names."""
    python, option, code = shlex.split(error.remedy[error.remedy.index("python -c") :])
    assert (python, option) == ("python", "-c")
    run_script(dials, f"{code}\nprint(0)", cwd)


def test_the_way_to_convert_a_pickle_works(dials: Dials, tmp_path: Path) -> None:
    run_script(dials, WRITE_EXPERIMENTS + WRITE_PICKLES, tmp_path)
    with pytest.raises(FileFormatError) as caught:
        read_table(tmp_path / "t.pickle")
    follow(dials, caught.value, tmp_path)
    np.testing.assert_array_equal(read_table(tmp_path / "t.refl").array("d"), [1.0, 2.0])
    in_dials = models_in_dials(dials, "e.expt", tmp_path)
    (tmp_path / "e.expt").unlink()
    with pytest.raises(FileFormatError) as refused:
        ExperimentFile.read(tmp_path / "e.pickle")
    follow(dials, refused.value, tmp_path)
    assert_same_models(ExperimentFile.read(tmp_path / "e.expt"), in_dials)
