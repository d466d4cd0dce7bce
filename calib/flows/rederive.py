"""rederive: run a derivation again from the same inputs, and say whether the result is the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import InputError, NotFoundError
from calib.files.atomic import file_sha256
from calib.files.reader import input_suffixes
from calib.flows.combine import CombineRequest, combine
from calib.flows.derive import DeriveProgress, DeriveRequest, derive
from calib.flows.diff import prior_of
from calib.flows.shared.provenance import this_environment
from calib.model.detector.correction import Freedom
from calib.model.result.report import Reason
from calib.model.store.protocol import StoreLike
from calib.model.store.provenance import Provenance
from calib.model.store.record import CalibrationRecord, ChangeStamp, StoredCalibration
from calib.solve.dataset.symmetry import name_from_hall
from calib.solve.options import Crystals
from calib.version import __version__

SAME_SIGMA = 0.1
"""Elsewhere than where it was derived, a result within this many sigma is the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Rederived:
    """What came of deriving again."""

    stored: StoredCalibration
    again: CalibrationRecord
    identical: bool
    """Panels and covariance agree bit for bit."""
    largest_sigma: float
    """The largest difference of a parameter in units of its sigma."""
    environment: tuple[str, ...]
    """What differs between the machine of then and this one; empty where nothing does."""
    environment_known: bool

    @property
    def reproduced(self) -> bool:
        """Whether the result is the same: bit for bit, or where versions, processor or threads
        differ (or are not known), within a tenth of a sigma."""
        elsewhere = bool(self.environment) or not self.environment_known
        return self.identical or (elsewhere and self.largest_sigma <= SAME_SIGMA)


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

    Its inputs are known by their hashes: they are looked for where they lay, and below
    ``folders``. Summaries are those that the calibration rests on, which the store has wherever it
    has the calibration. Raises ``NotFoundError``: ``parent-missing``, or ``inputs-missing``, naming
    those that are nowhere.
    """
    found = store.calibrations.get(reference, serial)
    provenance = store.calibrations.provenance(found.id)
    if found.record.parameters.get("combined"):
        again = combine(_recombination(found), store, stamp, dry_run=True).record
    else:
        paths = _inputs(found, provenance, folders, _kept(store, found, provenance))
        request = request_of(found.record, paths)
        again = derive(request, store, stamp, dry_run=True, progress=progress).record
    here = this_environment()
    differences: tuple[str, ...] = ()
    if provenance is not None:
        differences = provenance.environment.difference(here)
    if found.record.code_version != __version__:
        differences = (f"calib {found.record.code_version} against {__version__}", *differences)
    return Rederived(
        stored=found,
        again=again,
        identical=(again.panels_id, again.covariance_sha256)
        == (found.record.panels_id, found.record.covariance_sha256),
        largest_sigma=_largest_sigma(found.record, again),
        environment=differences,
        environment_known=provenance is not None,
    )


def _kept(store: StoreLike, found: StoredCalibration, provenance: Provenance | None) -> set[str]:
    """The names of the summaries that stood for datasets which were not read: those of which no
    file was read, or where that was not kept, those of the calibration that was added to."""
    onto = found.record.parameters.get("onto")
    if onto is None:
        return set()
    if provenance is not None:
        uses = found.record.report.datasets
        return {use.summary for use in uses if provenance.paths.keys().isdisjoint(use.sha256)}
    try:
        parent = store.calibrations.get(onto)
    except NotFoundError as error:
        raise NotFoundError(
            "parent-missing",
            f"{found.name} was added to calibration {onto[:12]}, which this store does not hold, "
            "so it is not known which of its datasets were read for it.",
            remedy=f"calib bundle load, of a bundle of the whole detector or of {onto[:12]}.",
        ) from error
    return {use.summary for use in parent.record.report.datasets}


def _recombination(found: StoredCalibration) -> CombineRequest:
    """The request for what a calibration was combined from: all that it rests on is its own."""
    said = found.record.parameters
    return CombineRequest(
        sources=(found.id,), freedom=Freedom(said["freedom"]), prior=prior_of(said)
    )


def request_of(record: CalibrationRecord, paths: Sequence[Path]) -> DeriveRequest:
    """The request that a calibration's parameters answer, for other places of its files."""
    said: Mapping[str, Any] = record.parameters
    try:
        hall = said["hall_symbol"]
        return DeriveRequest(
            paths=tuple(paths),
            serial=record.serial,
            force_serial=True,
            freedom=Freedom(said["freedom"]),
            prior=prior_of(said),
            ignore_flags=said["ignore_flags"],
            pose_per_experiment=said["pose"] == "per-experiment",
            space_group=None if hall is None else name_from_hall(hall),
            free_beam=said["free_beam"],
            crystals=Crystals(said["crystals"]),
            crystal_interval_deg=said["crystal_interval_deg"],
            keep_all=said.get("keep_all", False),
            # Its own summaries but those of what is read are those that it was added to.
            onto=None if said.get("onto") is None else record.id,
            relinearise=said.get("onto") is not None,
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
    """Where the calibration's input files lie now, but those of datasets whose summaries were
    ``kept``. Datasets that were left out on the way took part until then."""
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
            f"{len(missing)} of the {len(wanted)} files that {found.name} was derived from are "
            f"nowhere to be found: {', '.join(missing)}.",
            remedy="--from FOLDER, anywhere above files with the same content.",
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
        # os.walk passes over folders that cannot be read, or vanish meanwhile.
        for place, _, names in os.walk(folder):
            named = sorted(name for name in names if suffixes & set(Path(name).suffixes))
            out += [Path(place) / name for name in named]
    return [path for path in out if path.is_file()]


def _largest_sigma(one: CalibrationRecord, other: CalibrationRecord) -> float:
    free = list(one.estimate.freedom.free)
    apart = (other.estimate.correction.values - one.estimate.correction.values)[:, free]
    sigma = one.estimate.sigma[:, free]
    return float(np.abs(apart / np.maximum(sigma, 1e-300)).max())
