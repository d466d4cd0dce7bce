"""The solver's forward model against DIALS' own predictor."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from calib.files.dials.dataset_write import write_dataset
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.pairing import load_datasets
from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction
from calib.model.detector.families import known_layout
from calib.model.detector.layout import Layout
from calib.model.experiment.pose import facing_pose, layout_of, locate_detector
from calib.simulate.still import StillsPlan, simulated_stills
from calib.simulate.truth import random_correction
from support.dials import Dials
from support.forward import measured
from support.scenes import general_scene, options, simulation, started

PREDICT = """
import json, sys
from dials.algorithms.refinement.prediction.managed_predictors import ExperimentsPredictorFactory
from dials.array_family import flex
from dxtbx.model.experiment_list import ExperimentListFactory

COLUMNS = ("xyzobs.mm.value", "xyzcal.mm")
out = []
for expt, refl in json.load(open("pairs.json")):
    experiments = ExperimentListFactory.from_json_file(expt, check_format=False)
    table = flex.reflection_table.from_file(refl)
    table = table.select(table["id"] >= 0)
    table.calculate_entering_flags(experiments)
    table["delpsical.rad"] = flex.double(len(table), 0.0)
    table.unset_flags(flex.bool(len(table), True), table.flags.predicted)
    ExperimentsPredictorFactory.from_experiments(experiments)(table)
    table = table.select(table.get_flags(table.flags.predicted))
    observed, calculated = ([list(row) for row in table[name]] for name in COLUMNS)
    if experiments.all_stills():
        calculated = [[x, y, psi] for (x, y, _), psi in zip(calculated, table["delpsical.rad"])]
    out.append([observed, calculated])
print(json.dumps(out))
"""
SAME_MM = 1e-6
SAME_RAD = 1e-6


@dataclass(frozen=True, eq=False)
class Case:
    """A pair of files, and the correction that the panels in them carry."""

    expt: Path
    refl: Path
    layout: Layout
    correction: Correction


Centroids = tuple[Floats, Floats]
"""Observed and calculated, (n, 3) each, in mm, mm and rad."""


def predicted_by_dials(dials: Dials, cases: list[Case], folder: Path) -> list[Centroids]:
    """Where DIALS puts the reflections, from the models as the files give them."""
    pairs = [[str(case.expt), str(case.refl)] for case in cases]
    (folder / "pairs.json").write_text(json.dumps(pairs))
    (folder / "predict.py").write_text(PREDICT)
    python = "dials.python" if (dials.folder / "dials.python").exists() else "python3"
    done = dials.run(python, "predict.py", cwd=folder)
    found = json.loads(done.stdout.splitlines()[-1])
    return [(np.array(observed), np.array(calculated)) for observed, calculated in found]


def predicted_here(case: Case) -> Centroids:
    """Where the solver puts them."""
    (dataset,) = load_datasets([case.expt, case.refl])
    known = [("carried", case.correction)]
    pose = locate_detector(case.layout, dataset.detector, known).lab_from_root
    given = replace(dataset, detector=replace(dataset.detector, lab_from_root=pose))
    # P 1 leaves the cells as they stand in the files.
    fit = started(given, case.layout, options(hall_symbol=" P 1"))
    return fit.seen.observed.T, (fit.seen.observed - fit.residuals(case.correction)).T


def assert_the_same(here: Centroids, there: Centroids, fewest: int) -> None:
    """Matched by observation, no two predictions differ by more than a nanometre or microradian."""
    rows = {tuple(row): k for k, row in enumerate(np.round(there[0], 9).tolist())}
    keys = [tuple(row) for row in np.round(here[0], 9).tolist()]
    pairs = [(k, rows[key]) for k, key in enumerate(keys) if key in rows]
    assert len(pairs) >= fewest
    mine, theirs = (np.array(side) for side in zip(*pairs, strict=True))
    difference = here[1][mine] - there[1][theirs]
    turn = (difference[:, 2] + np.pi) % (2.0 * np.pi) - np.pi
    assert np.abs(difference[:, :2]).max() < SAME_MM
    assert np.abs(turn).max() < SAME_RAD


def test_simulated_scans_with_corrected_panels(dials: Dials, tmp_path: Path) -> None:
    """A plain scan; and sweeps with turned goniometers, tilted beams, two wavelengths, one crystal
    in two of them (none that runs backwards: DIALS 3.12 knows no such scan)."""
    layout, truth, scan = simulation("PILATUS 1M", n_reflections=2000)
    general = general_scene()
    forwards = tuple(s for s in general.sweeps if s.scan.width_rad > 0.0)
    scene = replace(general, sweeps=forwards)
    cases = []
    for dataset, correction in (
        (scan.dataset, truth),
        (measured(scene, np.random.default_rng(1)), scene.correction),
    ):
        expt, refl = write_dataset(dataset, tmp_path)
        frames = {0: correction.frames(layout)}
        expt.write_bytes(ExperimentFile.read(expt).with_frames(frames).data)
        cases.append(Case(expt, refl, layout, correction))
    found = predicted_by_dials(dials, cases, tmp_path)
    for case, there, fewest in zip(cases, found, (1950, 950), strict=True):
        assert_the_same(predicted_here(case), there, fewest)


def test_simulated_stills_with_corrected_panels(dials: Dials, tmp_path: Path) -> None:
    """Positions, and delta-psi with its sign."""
    layout = known_layout("PILATUS 1M")
    truth = random_correction(np.random.default_rng(1), layout)
    pose = facing_pose(layout, 150.0, beam_centre_mm=(3.0, 4.0), tilt_rad=(0.01, 0.02, 0.03))
    plan = StillsPlan(n_crystals=15)
    made = simulated_stills(np.random.default_rng(2), layout, truth, pose, plan, "stills")
    expt, refl = write_dataset(made.dataset, tmp_path)
    expt.write_bytes(ExperimentFile.read(expt).with_frames({0: truth.frames(layout)}).data)
    case = Case(expt, refl, layout, truth)
    (there,) = predicted_by_dials(dials, [case], tmp_path)
    assert np.abs(there[1][:, 2]).max() > 1e-3
    assert_the_same(predicted_here(case), there, 1400)


REAL = {
    "thaumatin_6M/multi": 13_000,
    "lcysteine_2M/s25": 2500,
    "narrow_wedges_6M/multi": 4000,
    "stills_cspad/multi_stills_combined": 1000,
}
"""Real sets, and how many of their reflections at least are compared."""


def test_real_experiments(dials: Dials, real_data: Path, tmp_path: Path) -> None:
    cases = []
    for name in REAL:
        expt, refl = (real_data / f"{name}.{ending}" for ending in ("expt", "refl"))
        (dataset,) = load_datasets([expt, refl])
        layout, _ = layout_of(dataset.detector)
        cases.append(Case(expt, refl, layout, Correction.none(len(layout))))
    found = predicted_by_dials(dials, cases, tmp_path)
    for case, there, fewest in zip(cases, found, REAL.values(), strict=True):
        assert_the_same(predicted_here(case), there, fewest)


def test_the_comparison_sees_a_tenth_of_a_micrometre() -> None:
    layout, truth, scan = simulation("PILATUS 1M", n_reflections=2000)
    fit = started(scan.dataset, layout, options())
    observed = fit.seen.observed.T
    calculated = (fit.seen.observed - fit.residuals(truth)).T
    assert_the_same((observed, calculated), (observed, calculated), 1900)
    off = truth.values.copy()
    off[3, 0] += 1e-4
    moved = (fit.seen.observed - fit.residuals(Correction(off))).T
    with pytest.raises(AssertionError):
        assert_the_same((observed, calculated), (observed, moved), 1900)
