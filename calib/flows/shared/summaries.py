"""The summaries that calibrations rest on, out of the store and into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from calib.errors import InputError, IntegrityError, NotFoundError
from calib.files.native.summary import summary_bytes, summary_from_bytes
from calib.flows.shared.distances import merged_distances
from calib.model.result.report import DatasetUse
from calib.model.result.summary import Statement, Summary, SummaryFile
from calib.model.store.protocol import StoreLike
from calib.model.store.record import CalibrationRecord, DetectorRecord, State, StoredCalibration
from calib.solve.panels.linearisation import LINEAR_WITHIN_SIGMA
from calib.solve.panels.solution import Solution
from calib.version import __version__

_SHORTEST_PREFIX = 8
Key = tuple[str, ...]
"""What a dataset is known by: the sorted hashes of its files."""


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A summary with its file."""

    summary: Summary
    file: SummaryFile

    @staticmethod
    def of(summary: Summary) -> Kept:
        """A summary that was just made."""
        return Kept(summary, SummaryFile(summary.id, summary_bytes(summary)))

    @staticmethod
    def read(file: SummaryFile, place: str) -> Kept:
        """One from the store; raises ``IntegrityError`` where it is another than its name says."""
        summary = summary_from_bytes(file.content, place)
        if summary.id != file.id:
            raise IntegrityError(
                "changed-summaries",
                f"the summary {file.id[:12]} holds something else.",
                place=place,
                remedy="restore the store from a backup.",
            )
        return Kept(summary, file)

    @property
    def key(self) -> Key:
        """The dataset's."""
        return self.summary.statement.use.sha256

    @property
    def name(self) -> str:
        """What people call the dataset."""
        return self.summary.statement.use.name


def base_of(store: StoreLike, serial: str, onto: str | None) -> StoredCalibration:
    """The calibration to build on: the one that is named, else the detector's latest accepted one.

    Raises ``NotFoundError`` where there is none.
    """
    if onto is not None:
        return store.calibrations.get(onto, serial)
    for line in reversed(store.calibrations.list(serial)):
        if line.state in (State.ACCEPTED, State.CERTIFIED):
            return store.calibrations.get(line.id)
    raise NotFoundError(
        "no-base",
        f"detector {serial} has no accepted calibration to add to.",
        remedy="derive without --add, or name one with --onto.",
    )


def kept_summaries(store: StoreLike, stored: StoredCalibration) -> list[Kept]:
    """All that a calibration rests on. Raises ``NotFoundError`` where a dataset has no summary."""
    files = store.summaries.read(stored)
    bare = [
        use.name
        for use, file in zip(stored.record.report.datasets, files, strict=True)
        if file is None
    ]
    if bare:
        raise NotFoundError(
            "no-summaries",
            f"{stored.name} was derived before summaries were kept: there is none of "
            f"{', '.join(bare)}.",
            remedy="derive it again from the files, together with the new ones.",
        )
    return [Kept.read(file, stored.name) for file in files if file is not None]


def picked(summaries: Sequence[Kept], name: str) -> Kept:
    """The one of a dataset, by its name or the beginning of its id; raises ``NotFoundError`` where
    there is none, and ``InputError`` where there are several."""
    mine = [kept for kept in summaries if kept.name == name]
    if not mine and len(name) >= _SHORTEST_PREFIX:
        mine = [kept for kept in summaries if kept.file.id.startswith(name.lower())]
    if not mine:
        raise NotFoundError(
            "unknown-dataset",
            f"there is no dataset {name} among {', '.join(kept.name for kept in summaries)}.",
            remedy="one of these, or 8 or more characters of its summary's id.",
        )
    if len(mine) > 1:
        ids = ", ".join(kept.file.id[:12] for kept in mine)
        raise InputError(
            "ambiguous-dataset",
            f"{len(mine)} datasets are called {name}: {ids}.",
            remedy="one of these ids.",
        )
    return mine[0]


def recorded(
    solution: Solution,
    summaries: Sequence[Kept],
    detector: DetectorRecord,
    parameters: Mapping[str, object],
) -> CalibrationRecord:
    """The record of a solution; ``summaries`` are those of its datasets, in their order."""
    uses = tuple(
        replace(use, summary=kept.file.id)
        for use, kept in zip(solution.report.datasets, summaries, strict=True)
    )
    return CalibrationRecord(
        serial=detector.serial,
        layout_id=detector.layout_id,
        distances_mm=merged_distances([use.distance_mm for use in uses]),
        panel_names=tuple(panel.name for panel in detector.layout.panels),
        estimate=solution.estimate,
        parameters=parameters,
        code_version=__version__,
        report=replace(solution.report, datasets=uses),
        acceptance=solution.acceptance,
    )


def summarised(
    statements: Sequence[Statement], detector: DetectorRecord, starts: Sequence[datetime | None]
) -> list[Kept]:
    """Statements that were just made, with where they come from; ``starts`` as of
    ``Summary.started``."""
    return [
        Kept.of(Summary(said, detector.serial, detector.layout_id, __version__, start))
        for said, start in zip(statements, starts, strict=True)
    ]


def beyond_linear_range(uses: Sequence[DatasetUse], how: str) -> list[str]:
    """A sentence for each dataset whose summary was made too far from the solution; ``how`` to
    read it again, with NAME for the dataset."""
    return [
        f"{use.name}: the solution is beyond the linear range of its summary, which may shift it "
        f"by {use.linearisation_error_sigma:.2f} sigma; read the dataset again with "
        f"{how.replace('NAME', use.name)}."
        for use in uses
        if (use.linearisation_error_sigma or 0.0) > LINEAR_WITHIN_SIGMA
    ]
