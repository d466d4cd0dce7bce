"""combine: solve for a calibration from stored summaries, without reading reflections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from calib.errors import InputError, LayoutError
from calib.files.native.summary import SUFFIXES, read_summary
from calib.flows.shared.distances import freedom_for, merged_distances
from calib.flows.shared.equal import equal_calibration, equal_notice
from calib.flows.shared.provenance import this_environment
from calib.flows.shared.results import Derived, solver_errors
from calib.flows.shared.retired import retired_warnings
from calib.flows.shared.summaries import (
    Key,
    SummaryEntry,
    beyond_linear_range,
    calibration_record,
    kept_summaries,
    select_summary,
)
from calib.model.detector.correction import Freedom
from calib.model.experiment.occasions import occasions_of
from calib.model.store.protocol import StoreLike
from calib.model.store.provenance import Provenance
from calib.model.store.record import ChangeStamp, DetectorRecord, StoredCalibration
from calib.solve.prior import PanelPrior
from calib.solve.summaries import solve_summaries


@dataclass(frozen=True, slots=True)
class CombineRequest:
    """What to combine, and how."""

    sources: tuple[str, ...]
    """Calibrations of one detector, by any reference, and summary files."""
    without: tuple[str, ...] = ()
    """Datasets to leave out: their names, or the beginning of a summary's id."""
    serial: str | None = None
    """The detector's, where a source is a bare version."""
    freedom: Freedom | None = None
    """None: all six parameters."""
    prior: PanelPrior = field(default_factory=PanelPrior)


@solver_errors()
def combine(
    request: CombineRequest,
    store: StoreLike,
    stamp: ChangeStamp,
    *,
    dry_run: bool = False,
    anew: bool = False,
) -> Derived:
    """Solve the summed normal equations of all summaries with the prior, and store the result.

    Where two sources have the same dataset, the summary of the last one is used. Where the store
    has a calibration that differs by rounding only, it is returned, unless ``anew`` is set.
    Raises ``InputError`` and ``NotFoundError`` for sources that cannot be used, and ``StoreError``;
    nothing is stored then.
    """
    begun = perf_counter()
    if not dry_run:
        store.require_writable(stamp.at)
    bases, summaries, notices = _collected(request, store)
    detector = _detector(store, summaries)
    chosen = _without(summaries, request.without)
    statements = [kept.summary.statement for kept in chosen]
    distances = merged_distances([one.use.distance_mm for one in statements])
    freedom, reason = freedom_for(request.freedom, distances)
    solution = solve_summaries(
        statements,
        detector.layout,
        freedom,
        request.prior,
        occasions=occasions_of([kept.summary.started for kept in chosen]),
    )
    parameters: dict[str, Any] = {
        "freedom": freedom.value,
        **request.prior.content(detector.layout),
        "combined": True,
        "onto": bases[0].id if len(bases) == 1 else None,
    }
    record = calibration_record(solution, chosen, detector, parameters)
    stored, new = None, True
    equal = None if anew else equal_calibration(store, record)
    if equal is not None:
        record = equal.stored.record
        notices.append(equal_notice(equal))
        if not dry_run:
            stored, new = equal.stored, False
    elif not dry_run:
        stored, new = store.calibrations.add(
            record,
            [kept.summary.started for kept in chosen],
            stamp,
            summaries=[kept.file for kept in chosen],
            provenance=Provenance(this_environment(), {}, parameters["onto"]),
        )
    notices += beyond_linear_range(
        solution.report.datasets, "calib derive --relinearise NAME.expt NAME.refl"
    )
    notices += retired_warnings(store, detector.serial, [kept.summary.started for kept in chosen])
    return Derived(
        record=record,
        stored=stored,
        new=new,
        registered=None,
        freedom_reason=reason,
        notices=tuple(notices),
        seconds=perf_counter() - begun,
    )


def _collected(
    request: CombineRequest, store: StoreLike
) -> tuple[list[StoredCalibration], list[SummaryEntry], list[str]]:
    """The calibrations among the sources, the summaries in the order of their datasets' hashes, and
    a notice for each that replaces another."""
    bases: list[StoredCalibration] = []
    found: dict[Key, tuple[str, SummaryEntry]] = {}
    notices = []
    for source in request.sources:
        if source.endswith(SUFFIXES) or Path(source).is_file():
            name, new = source, [SummaryEntry.of(read_summary(Path(source)))]
        else:
            stored = store.calibrations.get(source, request.serial)
            bases.append(stored)
            name, new = stored.name, kept_summaries(store, stored)
        for kept in new:
            before = found.get(kept.key)
            if before is not None and before[1].file.id != kept.file.id:
                notices.append(
                    f"{kept.name}: the summary from {name} replaces the one from {before[0]}."
                )
            found[kept.key] = (name, kept)
    return bases, [kept for _, (_, kept) in sorted(found.items())], notices


def _detector(store: StoreLike, summaries: Sequence[SummaryEntry]) -> DetectorRecord:
    """The one detector that all summaries are of, as the store knows it."""
    serials = {kept.summary.serial: kept.name for kept in summaries}
    if len(serials) > 1:
        shown = ", ".join(f"{serial} ({name})" for serial, name in serials.items())
        raise InputError(
            "several-detectors",
            f"the summaries are of different detectors: {shown}.",
            remedy="combine summaries of one detector only.",
        )
    detector = store.detectors.get(next(iter(serials)))
    for kept in summaries:
        if kept.summary.layout_id != detector.layout_id:
            raise LayoutError(
                "other-layout",
                f"the summary is of another layout than the registered detector {detector.serial}.",
                place=kept.name,
                remedy="leave it out with --without.",
            )
    return detector


def _without(summaries: Sequence[SummaryEntry], names: Sequence[str]) -> list[SummaryEntry]:
    """The summaries without those named."""
    left = list(summaries)
    for name in names:
        left.remove(select_summary(left, name))
    if not left:
        raise InputError(
            "no-datasets", "no dataset is left to combine.", remedy="use fewer --without."
        )
    return left
