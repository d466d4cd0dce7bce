"""rederive: run a derivation again from the same inputs, and compare the results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from calib.errors import InputError, NotFoundError
from calib.files.atomic import file_sha256
from calib.files.reader import input_suffixes
from calib.flows.combine import CombineRequest, combine
from calib.flows.derive import DeriveProgress, DeriveRequest, derive
from calib.flows.shared.equal import EQUAL_SIGMA, largest_difference_sigma
from calib.flows.shared.provenance import this_environment
from calib.flows.shared.summaries import SummaryEntry
from calib.model.detector.correction import Freedom
from calib.model.result.report import NARROW, Reason
from calib.model.store.protocol import StoreLike
from calib.model.store.provenance import Provenance
from calib.model.store.record import CalibrationRecord, ChangeStamp, StoredCalibration
from calib.solve.dataset.symmetry import name_from_hall
from calib.solve.options import Crystals, WhatIfRows
from calib.solve.prior import PanelPrior
from calib.version import __version__

ELSEWHERE_SIGMA = 0.1
"""In another environment, results that differ by at most this many sigma are reproduced."""


@dataclass(frozen=True, slots=True, eq=False)
class Rederived:
    """The result of deriving again."""

    stored: StoredCalibration
    again: CalibrationRecord
    identical: bool
    """Panels and covariance agree bit for bit."""
    largest_sigma: float
    """The largest difference of a parameter, or of its sigma, in units of its sigma."""
    environment: tuple[str, ...]
    """How the machine of the derivation differs from this one."""
    environment_known: bool

    @property
    def reproduced(self) -> bool:
        """Whether the result is the same: less than ``EQUAL_SIGMA`` apart, or at most
        ``ELSEWHERE_SIGMA`` where versions, processor or threads differ or are unknown."""
        elsewhere = bool(self.environment) or not self.environment_known
        if self.identical or self.largest_sigma < EQUAL_SIGMA:
            return True
        return elsewhere and self.largest_sigma <= ELSEWHERE_SIGMA


def rederive(
    store: StoreLike,
    reference: str,
    folders: Sequence[Path],
    stamp: ChangeStamp,
    *,
    serial: str | None,
    progress: DeriveProgress | None = None,
) -> Rederived:
    """Derive a stored calibration again and compare; nothing is stored.

    Input files are identified by their hashes: they are searched at their recorded paths and below
    ``folders``. Summaries are read from the store. Raises ``NotFoundError`` (``parent-missing`` or
    ``inputs-missing``).
    """
    found = store.calibrations.get(reference, serial)
    provenance = store.calibrations.provenance(found.id)
    if found.record.parameters.get("combined"):
        again = combine(_recombination(found), store, stamp, dry_run=True, anew=True).record
    else:
        paths = _inputs(found, provenance, folders, _kept(store, found, provenance))
        request = replace(request_of(found.record, paths), starts=_starts(store, found))
        again = derive(request, store, stamp, dry_run=True, anew=True, progress=progress).record
    here = this_environment()
    differences: tuple[str, ...] = ()
    if provenance is not None:
        differences = provenance.environment.difference(here)
    if found.record.code_version != __version__:
        differences = (f"calib {found.record.code_version} against {__version__}", *differences)
    if found.record.method != again.method:
        words = f"method changed: version {found.record.method} against {again.method}"
        differences = (words, *differences)
    return Rederived(
        stored=found,
        again=again,
        identical=(again.panels_id, again.covariance_sha256)
        == (found.record.panels_id, found.record.covariance_sha256),
        largest_sigma=largest_difference_sigma(found.record, again),
        environment=differences,
        environment_known=provenance is not None,
    )


def _kept(store: StoreLike, found: StoredCalibration, provenance: Provenance | None) -> set[str]:
    """The ids of the summaries that were used instead of reading datasets: those without an input
    file, or where paths were not recorded, those of the calibration that was added to."""
    base = found.record.parameters.get("onto")
    if base is None:
        return set()
    if provenance is not None:
        uses = found.record.report.datasets
        return {use.summary for use in uses if provenance.paths.keys().isdisjoint(use.sha256)}
    try:
        parent = store.calibrations.get(base)
    except NotFoundError as error:
        raise NotFoundError(
            "parent-missing",
            f"{found.name} was added to calibration {base[:12]}, which is not in this store, so "
            "it is unknown which of its datasets were read.",
            remedy=f"load a bundle of the detector or of {base[:12]} with calib bundle load.",
        ) from error
    return {use.summary for use in parent.record.report.datasets}


def _starts(store: StoreLike, found: StoredCalibration) -> dict[tuple[str, ...], datetime | None]:
    """When datasets were taken, as their summaries state, by the sorted hashes of their files."""
    files = [file for file in store.summaries.read(found) if file is not None]
    read = [SummaryEntry.read(file, found.name) for file in files]
    return {tuple(sorted(kept.key)): kept.summary.started for kept in read}


def _recombination(found: StoredCalibration) -> CombineRequest:
    """The request that combines the calibration's own summaries again."""
    parameters = found.record.parameters
    return CombineRequest(
        sources=(found.id,),
        freedom=Freedom(parameters["freedom"]),
        prior=PanelPrior.from_content(parameters),
    )


def _crystals(record: CalibrationRecord) -> Crystals:
    """How crystals were modelled; where version 1 of the method chose, what it chose if it chose
    the same for all datasets."""
    chosen = Crystals(record.parameters["crystals"])
    vary = any(use.crystal_interval_deg is not None for use in record.report.datasets)
    if record.method == NARROW and chosen is Crystals.AUTO and not vary:
        return Crystals.STATIC
    return chosen


def request_of(record: CalibrationRecord, paths: Sequence[Path]) -> DeriveRequest:
    """The request with a calibration's parameters, for its files at other paths."""
    parameters: Mapping[str, Any] = record.parameters
    try:
        hall = parameters["hall_symbol"]
        return DeriveRequest(
            paths=tuple(paths),
            serial=record.serial,
            force_serial=True,
            freedom=Freedom(parameters["freedom"]),
            prior=PanelPrior.from_content(parameters),
            ignore_flags=parameters["ignore_flags"],
            obey_flags=parameters.get("obey_flags", False),
            pose_per_experiment=parameters["pose"] == "per-experiment",
            space_group=None if hall is None else name_from_hall(hall),
            free_beam=parameters["free_beam"],
            free_strain=parameters.get("free_strain", False),
            free_shift=parameters.get("free_shift", False),
            crystals=_crystals(record),
            crystal_interval_deg=parameters["crystal_interval_deg"],
            keep_all=parameters.get("keep_all", False),
            what_if=WhatIfRows(parameters.get("what_if", WhatIfRows.BRIEF.value)),
            # Its own summaries, except of the datasets read, are those that it was added to.
            base=None if parameters.get("onto") is None else record.id,
            relinearise=parameters.get("onto") is not None,
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            "other-parameters",
            f"calibration {record.id[:12]} was derived with parameters that this program does not "
            f"know ({error}).",
            remedy=f"derive it again with calib {record.code_version}.",
        ) from error


def _inputs(
    found: StoredCalibration,
    provenance: Provenance | None,
    folders: Sequence[Path],
    kept: set[str],
) -> list[Path]:
    """The paths of the calibration's input files, except of datasets whose summaries were ``kept``.
    Datasets rejected during the derivation are included, since they took part until then."""
    report = found.record.report
    read = [use for use in report.datasets if not use.summary or use.summary not in kept]
    wanted = {sha256: use.name for use in read for sha256 in use.sha256}
    for misfit in report.misfits:
        if misfit.experiment is None and misfit.reason is not Reason.FAR:
            wanted |= dict.fromkeys(misfit.sha256, misfit.name)
    places: dict[str, Path] = {}
    recorded = {} if provenance is None else provenance.paths
    for sha256, text in recorded.items():
        path = Path(text)
        if sha256 in wanted and path.is_file() and file_sha256(path) == sha256:
            places[sha256] = path
    for path in _files_below(folders):
        if len(places) == len(wanted):
            break
        sha256 = file_sha256(path)
        if sha256 in wanted:
            places.setdefault(sha256, path)
    missing = [f"{wanted[name]} ({name[:12]})" for name in wanted if name not in places]
    if missing:
        raise NotFoundError(
            "inputs-missing",
            f"{len(missing)} of the {len(wanted)} files that {found.name} was derived from were "
            f"not found: {', '.join(missing)}.",
            remedy="use --from FOLDER with a folder that contains them at any depth.",
        )
    return [places[name] for name in wanted]


def _files_below(folders: Sequence[Path]) -> list[Path]:
    suffixes = input_suffixes()
    out = []
    for folder in folders:
        if not folder.exists():
            raise InputError("missing-file", "there is no such folder.", place=str(folder))
        if folder.is_file():
            out.append(folder)
        # os.walk skips folders that cannot be read or were removed meanwhile.
        for place, _, names in os.walk(folder):
            named = sorted(name for name in names if suffixes & set(Path(name).suffixes))
            out += [Path(place) / name for name in named]
    return [path for path in out if path.is_file()]
