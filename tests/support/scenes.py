"""Small datasets with known truth that several tests of the solver share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.spatial.transform import Rotation

from calib.model.base.arrays import Floats
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout, PanelFrames, PanelShape
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.experiment import Beam, Crystal, Goniometer, Scan
from calib.model.experiment.pose import facing_pose
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.truth import random_correction
from calib.solve.dataset.fit import DatasetFit
from calib.solve.datasets import solve_in_process
from calib.solve.joint.dataset_state import DatasetState, initialise
from calib.solve.joint.refinement import Progress, Refinement, refine_jointly
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels.solution import Solution
from calib.solve.panels.system import PanelSystem
from calib.solve.parallel.executor import LocalExecutor
from calib.solve.prior import PanelPrior
from support.forward import Scene, Sweep

TETRAGONAL = " P 4nw 2abw"
MONOCLINIC = " P 2yb"
HEXAGONAL = " P 6"
TRICLINIC = " P 1"


def quiet(*_: object) -> None:
    """No progress is reported."""


def barrel(n_rows: int = 6, radius_mm: float = 200.0) -> Layout:
    """Rows of three modules on a cylinder about the sample, each row facing it."""
    family = known_layout("PILATUS 300K").panels[0]
    step_rad = (family.size_mm[1] + 3.0) / radius_mm
    shapes, rotations, origins = [], [], []
    for row in range(n_rows):
        angle = (row - 0.5 * (n_rows - 1)) * step_rad
        turn = Rotation.from_rotvec([angle, 0.0, 0.0]).as_matrix()
        for column in range(3):
            middle = turn @ [(column - 1) * (family.size_mm[0] + 1.2), 0.0, -radius_mm]
            half = np.array([*(0.5 * np.array(family.size_mm)), 0.0])
            rotation = turn @ np.diag([1.0, -1.0, -1.0])
            shapes.append(PanelShape(f"row-{row}-col-{column}", family.size_px, family.pixel_mm))
            rotations.append(rotation)
            origins.append(middle - rotation @ half)
    return Layout(tuple(shapes), PanelFrames(np.array(rotations), np.array(origins)))


def turned_axes(rng: np.random.Generator, scale_rad: float = 0.4) -> Floats:
    """A random rotation matrix."""
    return np.asarray(Rotation.from_rotvec(rng.normal(scale=scale_rad, size=3)).as_matrix())


def crystal(rng: np.random.Generator, cell: Sequence[float], hall_symbol: str) -> Crystal:
    """A crystal of a cell (a, b, c, alpha, beta, gamma) in Angstrom and degrees, turned anyhow."""
    a, b, c = cell[:3]
    alpha, beta, gamma = np.radians(cell[3:])
    x = (np.cos(alpha) - np.cos(beta) * np.cos(gamma)) / np.sin(gamma)
    basis = np.array(
        [
            [a, 0.0, 0.0],
            [b * np.cos(gamma), b * np.sin(gamma), 0.0],
            [c * np.cos(beta), c * x, c * np.sqrt(1.0 - np.cos(beta) ** 2 - x**2)],
        ]
    )
    return Crystal(basis @ turned_axes(rng, 1.0).T, hall_symbol)


def general_scene(seed: int = 0, *, noise_px: float = 0.1) -> Scene:
    """Everything at once: turned goniometers, tilted beams of two wavelengths, a scan that runs
    backwards, one crystal in two sweeps, three crystal systems, panels far out of place."""
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 1M")
    tilt = rng.normal(scale=0.03, size=3)
    pose = facing_pose(
        layout, 160.0, beam_centre_mm=(4.0, -7.0), tilt_rad=(tilt[0], tilt[1], tilt[2])
    )
    correction = Correction(rng.normal(size=(10, 6)) * [0.3, 0.3, 0.3, 0.02, 0.02, 0.02])
    beams = tuple(
        Beam(np.array([0.0, 0.0, 1.0]) + rng.normal(scale=0.02, size=3), wavelength)
        for wavelength in (0.97, 1.21)
    )
    goniometers = tuple(
        Goniometer(np.array([1.0, 0.0, 0.0]), turned_axes(rng), turned_axes(rng)) for _ in range(2)
    )
    crystals = (
        crystal(rng, (57.8, 57.8, 150.2, 90.0, 90.0, 90.0), TETRAGONAL),
        crystal(rng, (60.0, 45.0, 71.0, 90.0, 103.0, 90.0), MONOCLINIC),
        crystal(rng, (52.0, 61.0, 70.0, 81.0, 77.0, 66.0), TRICLINIC),
    )
    image = np.radians(0.2)
    sweeps = (
        Sweep(Scan((1, 300), 0.3, image, None), crystal=0, n_reflections=400),
        Sweep(
            Scan((1, 300), -1.0, image, None), crystal=0, beam=1, goniometer=1, n_reflections=300
        ),
        Sweep(Scan((11, 210), 4.0, -image, None), crystal=1, goniometer=1, n_reflections=300),
        Sweep(Scan((1, 300), 0.3, image, None), crystal=2, n_reflections=300),
    )
    return Scene(
        layout, correction, (pose,), beams, goniometers, crystals, sweeps, noise_px=noise_px
    )


def started(dataset: Dataset, layout: Layout, options: SolveOptions) -> DatasetFit:
    """The dataset at the point where its refinement begins."""
    pose = dataset.detector.lab_from_root
    assert pose is not None
    return DatasetFit.start(dataset, layout, pose, options)


def refined(
    datasets: Sequence[Dataset], system: PanelSystem, chosen: SolveOptions, progress: Progress
) -> Refinement:
    """Datasets that start at the poses in their files, refined jointly."""
    executor = LocalExecutor(datasets)
    poses = [(dataset.detector.lab_from_root,) for dataset in datasets]
    executor.map(initialise, system.layout, chosen, each=poses)
    return refine_jointly(executor, system, progress, chosen)


def fits(found: Refinement) -> list[DatasetFit]:
    """The datasets at the solution."""
    return [state.fit for state in states(found)]


def states(found: Refinement) -> list[DatasetState]:
    """The state of each dataset at the solution."""
    return found.executor.map(lambda state: (state, state))


def options(freedom: Freedom = Freedom.FULL, **changes: object) -> SolveOptions:
    """The default options with some changed; what the simulated data do not do is held: crystals
    are static and have their symmetry, and the beam is where the file says."""
    beam_and_cell = {"free_beam": False, "free_strain": False, "free_shift": False}
    held = {"crystals": Crystals.STATIC, **beam_and_cell}
    given = {"freedom": freedom, "prior": PanelPrior(), **held, **changes}
    return SolveOptions(**given)  # type: ignore[arg-type]


def solution(
    datasets: Sequence[Dataset], layout: Layout, chosen: SolveOptions | None = None
) -> Solution:
    """The solution of datasets that start at the poses in their files."""
    given = []
    for dataset in datasets:
        pose = dataset.detector.lab_from_root
        assert pose is not None
        given.append((dataset, pose))
    return solve_in_process(given, layout, chosen or options(), quiet)


def three_scans() -> tuple[Layout, list[tuple[Dataset, RigidMotion]]]:
    """Small scans of one detector at two distances, with the poses in their files."""
    scans = []
    for seed, distance in ((1, 120.0), (2, 120.0), (3, 200.0)):
        layout, _, scan = simulation(
            "PILATUS 300K", distance_mm=distance, n_reflections=900, seed=seed
        )
        pose = scan.dataset.detector.lab_from_root
        assert pose is not None
        scans.append((scan.dataset, pose))
    return layout, scans


@cache
def simulation(
    name: str = "PILATUS 1M",
    *,
    seed: int = 1,
    distance_mm: float = 150.0,
    n_reflections: int = 6000,
    outlier_share: float = 0.0,
    noise_px: float = 0.1,
    truth_seed: int = 1,
    beam_centre_mm: tuple[float, float] = (1.5, -2.0),
) -> tuple[Layout, Correction, SimulatedScan]:
    """A layout, its true correction, and a scan with it; detectors of one name and
    ``truth_seed`` are the same detector, and that of a negative one has nominal panels."""
    layout = known_layout(name)
    truth = Correction.none(len(layout))
    if truth_seed >= 0:
        truth = random_correction(np.random.default_rng(truth_seed), layout)
    rng = np.random.default_rng(1000 + seed)
    turn = rng.normal(scale=2e-3, size=3)
    pose: RigidMotion = facing_pose(
        layout,
        distance_mm,
        beam_centre_mm=beam_centre_mm,
        tilt_rad=(turn[0], turn[1], turn[2]),
    )
    plan = ScanPlan(n_reflections=n_reflections, outlier_share=outlier_share, noise_px=noise_px)
    return layout, truth, simulated_scan(rng, layout, truth, pose, plan, f"seed{seed}")
