"""derive: refine panel corrections from datasets, and store them as a calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from calib.errors import InputError, LayoutError
from calib.files.reader import read_data, serial_from
from calib.flows.shared.dataset_times import ImagesOfDatasets, times_of
from calib.flows.shared.datasets import executor_for, load_datasets, reordered
from calib.flows.shared.distances import freedom_for, merged_distances
from calib.flows.shared.equal import equal_calibration, equal_notice
from calib.flows.shared.identity import (
    default_serial,
    known_detector,
    new_detector,
    refuse_other_zone,
    serial_of,
)
from calib.flows.shared.images import ImagePlaces
from calib.flows.shared.modules import read_as_modules
from calib.flows.shared.provenance import provenance_of
from calib.flows.shared.rejected import reject_disagreeing, rejection_notices
from calib.flows.shared.results import Derived, solver_errors
from calib.flows.shared.retired import retired_warnings
from calib.flows.shared.summaries import (
    SummaryEntry,
    base_of,
    beyond_linear_range,
    calibration_record,
    kept_summaries,
    new_summaries,
)
from calib.flows.shared.times import zone_named
from calib.model.base.text import checked_name, panel_numbers
from calib.model.detector.correction import Correction, Freedom
from calib.model.detector.layout import Layout
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.occasions import occasions_of
from calib.model.experiment.pose import DRAWN, DetectorPose, locate_detector
from calib.model.result.report import Report
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp, StoredCalibration
from calib.solve.dataset.symmetry import hall_from_name
from calib.solve.datasets import solve_datasets, solve_incremental
from calib.solve.options import Crystals, SolveOptions, WhatIfRows
from calib.solve.parallel.executor import Executor
from calib.solve.prior import PanelPrior

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
    """None: all six parameters."""
    prior: PanelPrior = field(default_factory=PanelPrior)
    ignore_flags: bool = False
    obey_flags: bool = False
    """Leave out reflections flagged as outliers in place of judging them anew."""
    pose_per_experiment: bool = False
    space_group: str | None = None
    free_beam: bool = True
    free_strain: bool = True
    free_shift: bool = True
    crystals: Crystals = Crystals.AUTO
    crystal_interval_deg: float | None = None
    keep_all: bool = False
    """Keep datasets and experiments that disagree with the others."""
    what_if: WhatIfRows = WhatIfRows.BRIEF
    add: bool = False
    """Add to the datasets of the detector's latest accepted calibration."""
    base: str | None = None
    """Add to the datasets of this calibration instead."""
    relinearise: bool = False
    """Read datasets that it contains again, in place of their stored summaries."""
    workers: int | None = None
    """Worker processes for the datasets; 0: this process only, None: chosen from the files."""
    scheduler: str | None = None
    """Address of the scheduler of a Dask cluster for the datasets."""
    at: str | None = None
    """When all the data were taken, as text; None: as the files and images state."""
    images: ImagePlaces = field(default_factory=ImagePlaces)
    """Where the images are that state serials and times."""
    starts: Mapping[tuple[str, ...], datetime | None] = field(default_factory=dict)
    """When datasets were taken, by the sorted hashes of their files, whatever these state."""
    time_zone: str | None = None
    """The zone of a new detector, in which times in the files are read; None: UTC."""


@solver_errors()
def derive(
    request: DeriveRequest,
    store: StoreLike,
    stamp: ChangeStamp,
    *,
    dry_run: bool = False,
    anew: bool = False,
    progress: DeriveProgress | None = None,
) -> Derived:
    """Refine the panel corrections common to all datasets, and store them.

    A derivation that fails acceptance is stored as a draft. Where the store has the same
    derivation, or one that differs by rounding only, it is returned and nothing is stored, unless
    ``anew`` is set. Raises ``InputError`` for files that cannot be used, and ``StoreError``;
    nothing is stored then.
    """
    begun = perf_counter()
    if not dry_run:
        store.require_writable(stamp.at)
    report_progress: DeriveProgress = progress or (lambda *_: None)
    report_progress("reading", 0, float("nan"), 0, 0)
    remote = request.scheduler is not None  # workers may have another current folder
    pairs = read_data([path.absolute() if remote else path for path in request.paths])
    images = ImagesOfDatasets.of(pairs, request.images)
    read_as = [
        read_as_modules(one, store, request.serial, found, place=one.file.stem)
        for one, found in zip(pairs, images.each, strict=True)
    ]
    pairs = [one for one, _ in read_as]
    for path in request.paths:
        checked_name(path.name, "the name of a file")  # its dataset is recorded under it
    with executor_for(request.workers, request.scheduler, pairs) as executor:
        read = load_datasets(
            executor,
            pairs,
            lambda done: report_progress("reading", 0, float("nan"), done, len(pairs)),
        )
        read = _of_serial(executor, read, request)
        serial = _one_serial(read, request, images, store, stamp.at)
        datasets, far = reject_disagreeing(executor, read, keep_all=request.keep_all)
        detector = known_detector(store, serial)
        fresh = detector is None
        if detector is None:
            first, zone = datasets[0], request.time_zone or "UTC"
            zone_named(zone)
            detector = new_detector(serial, first.detector, time_zone=zone, place=first.name)
        refuse_other_zone(detector, request.time_zone)
        known = [] if fresh else store.calibrations.corrections(serial)
        located = [_locate(detector.layout, data, known) for data in datasets]
        base, old = _base(store, serial, datasets, request)
        distances = [kept.summary.statement.use.distance_mm for kept in old]
        distances += [detector.layout.distance_mm(place.lab_from_root) for place in located]
        freedom, reason = freedom_for(request.freedom, merged_distances(distances))
        options = _options(request, freedom)

        def relay(stage: str, iteration: int, rmsd_px: float, done: int) -> None:
            report_progress(stage, iteration, rmsd_px, done, len(datasets))

        executor.map(reordered, each=[(place,) for place in located])
        poses = [place.lab_from_root for place in located]
        times = times_of(datasets, detector, images, request.at, request.starts, stamp.at)
        begins = [time.instant for time in times]
        occasions = occasions_of([*(kept.summary.started for kept in old), *begins])
        given = (executor, poses, detector.layout, options, relay, occasions)
        if old:
            solution = solve_incremental([kept.summary.statement for kept in old], *given)
        else:
            solution = solve_datasets(*given)
    solution = solution.with_excluded(far)
    starts = [begins[place] for place in solution.kept]
    summaries = [*old, *new_summaries(solution.statements[len(old) :], detector, starts)]
    parameters = options.content(detector.layout)
    if base is not None:
        parameters["onto"] = base.id
    record = calibration_record(solution, summaries, detector, parameters)
    stored, new = None, True
    equal = None if fresh or anew else equal_calibration(store, record)
    if equal is not None:
        record = equal.stored.record
        if not dry_run:
            stored, new = equal.stored, False
    elif not dry_run:
        report_progress("storing", 0, float("nan"), len(datasets), len(datasets))
        stored, new = store.calibrations.add(
            record,
            [kept.summary.started for kept in summaries],
            stamp,
            detector if fresh else None,
            [kept.file for kept in summaries],
            provenance=provenance_of(request.paths, read, None if base is None else base.id),
        )
    notices = [*images.notices, *(notice for _, texts in read_as for notice in texts)]
    notices += [notice for data in read for notice in data.notices]
    notices += [time.notice for time in times if time.notice]
    notices += _removed_corrections(datasets, located)
    notices += rejection_notices(solution.report.misfits)
    notices += beyond_linear_range(
        solution.report.datasets, "calib derive --add --relinearise NAME.expt NAME.refl"
    )
    notices += _slip_notices(solution.report)
    notices += _panel_notices(solution.report)
    if not fresh:
        notices += retired_warnings(store, serial, starts)
    notices += [equal_notice(equal)] if equal is not None else []
    return Derived(
        record=record,
        stored=stored,
        new=new,
        registered=detector if fresh else None,
        freedom_reason=reason,
        notices=tuple(notices),
        seconds=perf_counter() - begun,
    )


def _base(
    store: StoreLike, serial: str, datasets: Sequence[Dataset], request: DeriveRequest
) -> tuple[StoredCalibration | None, list[SummaryEntry]]:
    """The calibration to add to, with the summaries of its datasets that are not read now."""
    if not (request.add or request.base or request.relinearise):
        return None, []
    base = base_of(store, serial, request.base)
    summaries = kept_summaries(store, base)
    read = {tuple(sorted(data.source.sha256)): data.name for data in datasets}
    twice = [read[kept.key] for kept in summaries if kept.key in read]
    if twice and not request.relinearise:
        raise InputError(
            "dataset-twice",
            f"{base.name} already contains {', '.join(twice)}.",
            remedy="leave these files out, or use --relinearise to read them again.",
        )
    return base, [kept for kept in summaries if kept.key not in read]


def _options(request: DeriveRequest, freedom: Freedom) -> SolveOptions:
    if request.ignore_flags and request.obey_flags:
        raise InputError(
            "bad-use",
            "flags cannot be both ignored and obeyed.",
            remedy="give --ignore-flags or --obey-flags.",
        )
    return SolveOptions(
        freedom=freedom,
        prior=request.prior,
        ignore_flags=request.ignore_flags,
        obey_flags=request.obey_flags,
        pose_per_experiment=request.pose_per_experiment,
        hall_symbol=hall_from_name(request.space_group) if request.space_group else None,
        free_beam=request.free_beam,
        free_strain=request.free_strain,
        free_shift=request.free_shift,
        crystals=request.crystals,
        crystal_interval_rad=_interval_rad(request.crystal_interval_deg),
        keep_all=request.keep_all,
        what_if=request.what_if,
    )


def _of_serial(
    executor: Executor, datasets: list[Dataset], request: DeriveRequest
) -> list[Dataset]:
    """The datasets without those of other detectors in the same files, where files name several
    detectors and one of them is that of the serial that was given."""
    if request.serial is None or request.force_serial:
        return datasets
    named = [serial_from(data.detector.identifier) for data in datasets]
    files = [data.source.sha256 for data in datasets]
    has = {own for own, name in zip(files, named, strict=True) if name == request.serial}
    kept = [k for k, own in enumerate(files) if named[k] == request.serial or own not in has]
    if len(kept) < len(datasets):
        executor.select(kept)
    return [datasets[k] for k in kept]


def _one_serial(
    datasets: Sequence[Dataset],
    request: DeriveRequest,
    images: ImagesOfDatasets,
    store: StoreLike,
    now: datetime,
) -> str:
    """The serial that all datasets agree on."""
    serials: dict[str, str] = {}
    for data in datasets:
        serial = serial_of(
            data.detector,
            request.serial,
            force=request.force_serial,
            place=data.name,
            image=images.image(data),
            default=partial(default_serial, store, data.epoch, now),
        )
        serials.setdefault(serial, data.name)
    if len(serials) > 1:
        found = ", ".join(f"{serial} ({name})" for serial, name in serials.items())
        raise InputError(
            "several-detectors",
            f"the datasets are of different detectors: {found}.",
            remedy="derive a calibration for each detector separately.",
        )
    return next(iter(serials))


def _locate(layout: Layout, data: Dataset, known: Sequence[tuple[str, Correction]]) -> DetectorPose:
    """The pose of the dataset's detector; raises ``LayoutError`` for panels with a correction that
    cannot be removed."""
    try:
        place = locate_detector(layout, data.detector, known)
    except LayoutError as error:
        raise LayoutError(
            error.code, error.problem, place=data.name, remedy=error.remedy
        ) from error
    if place.correction is None:
        raise LayoutError(
            "already-corrected",
            f"the panels already have a correction that cannot be removed: they are up to "
            f"{1e3 * place.residual_mm:.0f} um away from their nominal positions and from every "
            "calibration in the store.",
            place=data.name,
            remedy="import the images again without a reference geometry.",
        )
    return place


def _interval_rad(degrees: float | None) -> float | None:
    if degrees is None:
        return None
    if not _SHORTEST_INTERVAL_DEG <= degrees <= _LONGEST_INTERVAL_DEG:
        raise InputError(
            "bad-interval",
            f"the interval for crystal motion is {degrees:g} degrees, outside the allowed range.",
            remedy=f"use --crystal-interval {_SHORTEST_INTERVAL_DEG:g} to "
            f"{_LONGEST_INTERVAL_DEG:g}.",
        )
    return float(np.radians(degrees))


def _removed_corrections(
    datasets: Sequence[Dataset], placements: Sequence[DetectorPose]
) -> list[str]:
    return [
        f"{data.name}: removed the correction {place.carries}, which its panels already had."
        for data, place in zip(datasets, placements, strict=True)
        if place.carries != DRAWN
    ]


def _slip_notices(report: Report) -> list[str]:
    return [
        f"{use.name}: the crystal slipped at {angle:.1f} degrees; it is refined as two crystals, "
        "before and after."
        for use in report.datasets
        for angle in use.slips_deg
    ]


def _panel_notices(report: Report) -> list[str]:
    disputed = [
        f"{use.name}: less than half of the reflections on {panel_numbers(use.disputed_panels)} "
        "agree with each other, counting those flagged as outliers; none of them is used."
        for use in report.datasets
        if use.disputed_panels
    ]
    limited = [
        f"{use.name}: many reflections on {panel_numbers(use.limited_panels)} are outliers, twice "
        "as many as may be rejected; the others of them are used with a small weight."
        for use in report.datasets
        if use.limited_panels
    ]
    return disputed + limited
