"""demo: derive, certify and apply on simulated data with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from calib.config.location import Location
from calib.files.atomic import claim_folder
from calib.files.kinds import NOTE
from calib.files.reader import read_experiments
from calib.files.writer import write_dataset
from calib.flows.apply import Applied, ApplyRequest, apply
from calib.flows.certify import certify
from calib.flows.derive import DeriveProgress, DeriveRequest, derive
from calib.flows.shared.results import Derived
from calib.model.base.arrays import Floats
from calib.model.base.bounds import COUNT
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.families import known_layout
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.pose import facing_pose
from calib.model.result.corner_errors import CornerErrors
from calib.model.store.record import ChangeStamp
from calib.simulate.scan import ScanPlan, SimulatedScan, simulated_scan
from calib.simulate.score import corner_errors
from calib.simulate.truth import random_correction
from calib.solve.dataset.fit import DatasetFit
from calib.solve.options import SolveOptions
from calib.solve.prior import PanelPrior
from calib.store.store import Store

SERIAL = "60-0999"
_NEAR_MM, _FAR_MM, _TARGET_MM = 150.0, 400.0, 265.0
_TAKEN = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
_MARK, _NOTE = "README", "Made by calib demo; another run replaces these files and the store.\n"
_MANY = 500
"""Panels with more reflections than this count in the errors shown."""


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """One derivation of the demonstration compared with the truth."""

    distances_mm: tuple[float, ...]
    derived: Derived
    errors: CornerErrors


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """The results of the demonstration."""

    derivations: tuple[Derivation, ...]
    """From the far distance alone (in the plane, then with all six parameters), then from both."""
    applied: Applied
    distance_before_mm: float
    distance_after_mm: float
    distance_true_mm: float
    """Of the target, whose file was written with a pose near the true one."""
    truth: Correction
    target_rmsd_px: tuple[tuple[str, float], ...]
    """Rigid refinement of the target with nominal, calibrated and true panels: the key of the
    geometry in reports, and the RMSD over x and y."""
    folder: Path
    store: str


def demo(
    folder: Path, stamp: ChangeStamp, *, seed: int, progress: DeriveProgress | None = None
) -> DemoResult:
    """Simulate, derive from one and from both distances, certify and apply; files and store stay
    in ``folder``.

    Raises ``InputError`` (``folder-in-use``) where the folder holds anything but an earlier
    demonstration.
    """
    COUNT.checked(seed, "the seed")
    claim_folder(folder, _MARK, _NOTE, NOTE)
    if progress is not None:
        progress("simulating", 0, float("nan"), 0, 3)
    rng = np.random.default_rng(seed)
    layout = known_layout("PILATUS 6M")
    truth = random_correction(rng, layout)
    far = _scan(rng, layout, truth, _FAR_MM, 60_000, "far")
    near = _scan(rng, layout, truth, _NEAR_MM, 40_000, "near")
    target = _scan(rng, layout, truth, _TARGET_MM, 8_000, "target", centre_mm=(12.0, -7.0))
    far_files, near_files, target_files = (
        write_dataset(scan.dataset, folder, force=True) for scan in (far, near, target)
    )
    location = folder / "calib.db"
    for file in Location.parse(location).files:  # a log left behind would be read into a new store
        file.unlink(missing_ok=True)
    Store.create(location)
    with Store.open(location, clock_checked=True) as store:  # nothing in it is to be kept
        derivations = []
        both_files = (*near_files, *far_files)
        held = Freedom.IN_PLANE
        for files, freedom in ((far_files, held), (far_files, None), (both_files, None)):
            request = DeriveRequest(files, freedom=freedom)
            derived = derive(request, store, stamp, progress=progress)
            estimate = derived.record.estimate
            errors = corner_errors(
                layout,
                estimate.correction,
                truth,
                far.true_pose,
                estimate.n_reflections > _MANY,
            )
            derivations.append(Derivation(derived.record.distances_mm, derived, errors))
        best = derivations[-1].derived.stored
        assert best is not None  # noqa: S101 - no dry run
        certify(
            store,
            best.id,
            serial=None,
            start="2026-03-01",
            end=None,
            min_distance_mm=None,
            max_distance_mm=None,
            gap_mm=None,
            reason="demonstration",
            override="" if best.record.acceptance.accepted else "demonstration",
            supersede=False,
            partial=True,
            stamp=stamp,
        )
        output = folder / "target_calibrated.expt"
        expt, refl = target_files
        applied = apply(ApplyRequest(expt, output, refl, force=True), store, stamp)
    before, after = (read_experiments(path).experiments.detectors[0] for path in (expt, output))
    assert before.lab_from_root is not None  # noqa: S101 - written so above
    assert after.lab_from_root is not None  # noqa: S101 - as it was
    return DemoResult(
        derivations=tuple(derivations),
        applied=applied,
        distance_before_mm=layout.distance_mm(before.lab_from_root),
        distance_after_mm=layout.distance_mm(after.lab_from_root),
        distance_true_mm=layout.distance_mm(target.true_pose),
        truth=truth,
        target_rmsd_px=(
            ("as_drawn", _rmsd_px(target.dataset, layout, Correction.none(len(layout)))),
            ("as_applied", _rmsd_px(target.dataset, layout, best.record.estimate.correction)),
            ("as_they_truly_are", _rmsd_px(target.dataset, layout, truth)),
        ),
        folder=folder,
        store=str(location),
    )


def _scan(
    rng: np.random.Generator,
    layout: Layout,
    truth: Correction,
    distance_mm: float,
    n_reflections: int,
    name: str,
    *,
    centre_mm: tuple[float, float] = (1.5, -2.0),
) -> SimulatedScan:
    turn = rng.normal(scale=2e-3, size=3)
    pose = facing_pose(
        layout, distance_mm, beam_centre_mm=centre_mm, tilt_rad=(turn[0], turn[1], turn[2])
    )
    plan = ScanPlan(
        n_reflections=n_reflections,
        epoch=_TAKEN.timestamp(),
        panel_identifier=f"PILATUS3 6M, S/N {SERIAL}",
    )
    return simulated_scan(rng, layout, truth, pose, plan, name)


def _rmsd_px(dataset: Dataset, layout: Layout, correction: Correction) -> float:
    """Over x and y together, after refinement of pose and crystal with fixed panels."""
    options = SolveOptions(freedom=Freedom.FULL, prior=PanelPrior())
    pose = dataset.detector.lab_from_root or RigidMotion.identity()
    start = DatasetFit.start(dataset, layout, pose, options)
    fit, _ = start.refined_at(correction, robust=False, iterations=10)
    px: Floats = fit.residuals(correction)[:2] / fit.pixel_mm
    return float(np.sqrt((px**2).sum(axis=0).mean()))
