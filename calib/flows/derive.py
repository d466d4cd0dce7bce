"""derive: from metrology datasets to a calibration in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np

from calib import __version__
from calib.errors import InputError, LayoutError
from calib.files.pairs import pair_files
from calib.flows.boarding import boarded, fleet_for, reordered
from calib.flows.environment import provenance_of
from calib.flows.identity import known_detector, new_detector, serial_of
from calib.flows.moments import instant_of_epoch
from calib.model.correction import Correction, Freedom
from calib.model.dataset import Dataset
from calib.model.layout import Layout
from calib.model.pose import DRAWN, Placement, placed
from calib.model.record import CalibrationRecord, Deed, DetectorRecord, StoredCalibration
from calib.solve.assess import SAME_DISTANCE
from calib.solve.options import Crystals, SolveOptions
from calib.solve.panels import PanelPrior
from calib.solve.solution import solved_by
from calib.solve.symmetry import hall_from_name
from calib.store.store import Store

FULL_FROM_RATIO = 1.5
"""Distances that differ by this factor determine all six parameters of a panel."""
_SHORTEST_INTERVAL_DEG, _LONGEST_INTERVAL_DEG = 1.0, 120.0

DeriveProgress = Callable[[str, int, float, int, int], None]
"""Called with the stage, the iteration, the RMSD in px, datasets done and datasets in all."""


@dataclass(frozen=True, slots=True)
class DeriveRequest:
    """What to derive from, and how."""

    paths: tuple[Path, ...]
    """``.expt`` and ``.refl`` files in any order."""
    serial: str | None = None
    force_serial: bool = False
    freedom: Freedom | None = None
    """None: chosen from the distances."""
    prior: PanelPrior = field(default_factory=PanelPrior)
    ignore_flags: bool = False
    pose_per_experiment: bool = False
    space_group: str | None = None
    free_beam: bool = False
    crystals: Crystals = Crystals.AUTO
    crystal_interval_deg: float | None = None
    workers: int | None = None
    """Processes that hold the datasets; 0: none but this one, None: what suits the files."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster that holds them."""


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """What came of a derivation."""

    record: CalibrationRecord
    stored: StoredCalibration | None
    """None in a dry run."""
    new: bool
    """False where the same derivation had been stored before."""
    registered: DetectorRecord | None
    """The detector, where the store did not know it before."""
    freedom_reason: str
    notices: tuple[str, ...]
    seconds: float


def derive(
    request: DeriveRequest,
    store: Store,
    deed: Deed,
    *,
    dry_run: bool = False,
    progress: DeriveProgress | None = None,
) -> Derived:
    """Derive the panel corrections that all datasets share, and store them.

    A derivation that fails acceptance is stored as a draft. Raises ``InputError`` for files that
    cannot be used, and ``StoreError``; nothing is stored then.
    """
    begun = perf_counter()
    if not dry_run:
        store.require_writable()
    tell: DeriveProgress = progress or (lambda *_: None)
    tell("reading", 0, float("nan"), 0, 0)
    away = request.scheduler is not None  # where another folder may be the current one
    pairs = pair_files([path.absolute() if away else path for path in request.paths])
    with fleet_for(request.workers, request.scheduler, pairs) as fleet:
        datasets = boarded(
            fleet, pairs, lambda done: tell("reading", 0, float("nan"), done, len(pairs))
        )
        serial = _one_serial(datasets, request)
        detector = known_detector(store, serial)
        fresh = detector is None
        if detector is None:
            first = datasets[0]
            detector = new_detector(serial, first.detector, time_zone="UTC", place=first.name)
        known = [] if fresh else store.known_corrections(serial)
        placements = [_placed(detector.layout, data, known) for data in datasets]
        freedom, reason = _freedom(request.freedom, _distances_mm(detector.layout, placements))
        options = _options(request, freedom)

        def relay(stage: str, iteration: int, rmsd_px: float, done: int) -> None:
            tell(stage, iteration, rmsd_px, done, len(datasets))

        fleet.map(reordered, each=[(place,) for place in placements])
        poses = [place.lab_from_root for place in placements]
        solution = solved_by(fleet, poses, detector.layout, options, relay)
    record = CalibrationRecord(
        serial=serial,
        layout_id=detector.layout_id,
        distances_mm=_merged([use.distance_mm for use in solution.report.datasets]),
        panel_names=tuple(panel.name for panel in detector.layout.panels),
        estimate=solution.estimate,
        parameters=options.content(),
        code_version=__version__,
        report=solution.report,
        acceptance=solution.acceptance,
    )
    stored, new = None, True
    if not dry_run:
        tell("storing", 0, float("nan"), len(datasets), len(datasets))
        starts = [instant_of_epoch(data.epoch, detector.time_zone) for data in datasets]
        stored, new = store.add_calibration(
            record,
            starts,
            deed,
            detector if fresh else None,
            provenance=provenance_of(request.paths, datasets),
        )
    notices = [notice for data in datasets for notice in data.notices]
    notices += _taken_off(datasets, placements)
    return Derived(
        record=record,
        stored=stored,
        new=new,
        registered=detector if fresh else None,
        freedom_reason=reason,
        notices=tuple(notices),
        seconds=perf_counter() - begun,
    )


def _options(request: DeriveRequest, freedom: Freedom) -> SolveOptions:
    return SolveOptions(
        freedom=freedom,
        prior=request.prior,
        ignore_flags=request.ignore_flags,
        pose_per_experiment=request.pose_per_experiment,
        hall_symbol=hall_from_name(request.space_group) if request.space_group else None,
        free_beam=request.free_beam,
        crystals=request.crystals,
        crystal_interval_rad=_interval_rad(request.crystal_interval_deg),
    )


def _one_serial(datasets: Sequence[Dataset], request: DeriveRequest) -> str:
    """The serial that all datasets agree on."""
    serials: dict[str, str] = {}
    for data in datasets:
        serial = serial_of(
            data.detector, request.serial, force=request.force_serial, place=data.name
        )
        serials.setdefault(serial, data.name)
    if len(serials) > 1:
        found = ", ".join(f"{serial} ({name})" for serial, name in serials.items())
        raise InputError(
            "several-detectors",
            f"the datasets are of different detectors: {found}.",
            remedy="derive each detector's calibration by itself.",
        )
    return next(iter(serials))


def _placed(layout: Layout, data: Dataset, known: Sequence[tuple[str, Correction]]) -> Placement:
    """Where the dataset's detector stands; its panels must carry nothing that stays on."""
    try:
        place = placed(layout, data.detector, known)
    except LayoutError as error:
        raise LayoutError(
            error.code, error.problem, place=data.name, remedy=error.remedy
        ) from error
    if place.correction is None:
        raise LayoutError(
            "already-corrected",
            f"the panels already carry a correction that cannot be taken off: they stand up to "
            f"{1e3 * place.residual_mm:.0f} um from where they were drawn and from every "
            "calibration in the store.",
            place=data.name,
            remedy="import the images again without a reference geometry.",
        )
    return place


def _distances_mm(layout: Layout, placements: Sequence[Placement]) -> tuple[float, ...]:
    return _merged([layout.distance_mm(place.lab_from_root) for place in placements])


def _merged(distances_mm: Sequence[float]) -> tuple[float, ...]:
    """Distances in ascending order, those within 1 % of one another as their mean."""
    groups: list[list[float]] = []
    for distance in sorted(distances_mm):
        if groups and distance <= groups[-1][0] * (1.0 + SAME_DISTANCE):
            groups[-1].append(distance)
        else:
            groups.append([distance])
    return tuple(float(np.mean(group)) for group in groups)


def _freedom(asked: Freedom | None, distances_mm: Sequence[float]) -> tuple[Freedom, str]:
    """Which parameters are refined, and why, in words."""
    if asked is not None:
        return asked, "asked for with --freedom"
    ratio = distances_mm[-1] / distances_mm[0]
    shown = " and ".join(f"{distance:.0f}" for distance in distances_mm) + " mm"
    if ratio >= FULL_FROM_RATIO:
        return Freedom.FULL, f"distances of {shown} differ by a factor of {ratio:.2g}"
    if len(distances_mm) == 1:
        return Freedom.IN_PLANE, f"one distance only ({shown}): out-of-plane values do not repeat"
    return Freedom.IN_PLANE, (
        f"distances of {shown} differ by less than a factor of {FULL_FROM_RATIO}"
    )


def _interval_rad(degrees: float | None) -> float | None:
    if degrees is None:
        return None
    if not _SHORTEST_INTERVAL_DEG <= degrees <= _LONGEST_INTERVAL_DEG:
        raise InputError(
            "bad-interval",
            f"crystals cannot be followed in intervals of {degrees:g} degrees.",
            remedy=f"--crystal-interval {_SHORTEST_INTERVAL_DEG:g} to {_LONGEST_INTERVAL_DEG:g}.",
        )
    return float(np.radians(degrees))


def _taken_off(datasets: Sequence[Dataset], placements: Sequence[Placement]) -> list[str]:
    return [
        f"{data.name}: its panels carried {place.carries}, which was taken off."
        for data, place in zip(datasets, placements, strict=True)
        if place.carries != DRAWN
    ]
