"""Summaries of the datasets of calibrations, read from the store and prepared for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from calib.errors import (
    CalibError,
    FileFormatError,
    InputError,
    IntegrityError,
    NotFoundError,
)
from calib.files.native.summary import in_current_format, summary_bytes, summary_from_bytes
from calib.flows.shared.distances import merged_distances
from calib.model.result.report import DatasetUse
from calib.model.result.summary import FILE_FORMAT, Additional, Statement, Summary, SummaryFile
from calib.model.store.bundle import Bundle
from calib.model.store.protocol import StoreLike
from calib.model.store.record import CalibrationRecord, DetectorRecord, State, StoredCalibration
from calib.solve.panels.linearisation import LINEAR_WITHIN_SIGMA
from calib.solve.panels.solution import Solution
from calib.version import __version__

_SHORTEST_PREFIX = 8
Key = tuple[str, ...]
"""Identifies a dataset: the sorted hashes of its files."""


@dataclass(frozen=True, slots=True, eq=False)
class SummaryEntry:
    """A summary with its file."""

    summary: Summary
    file: SummaryFile

    @staticmethod
    def of(summary: Summary) -> SummaryEntry:
        """A new summary."""
        return SummaryEntry(summary, SummaryFile(summary.id, summary_bytes(summary)))

    @staticmethod
    def read(file: SummaryFile, place: str) -> SummaryEntry:
        """A summary from the store, converted if it was recorded in an earlier format.

        Raises ``IntegrityError`` where its content has another id, and ``FileFormatError`` where it
        cannot be read.
        """
        if file.converted is None:
            current = in_current_format(file.content, place)
            if current is not file.content:
                file = replace(file, converted=current)
        summary = summary_from_bytes(file.converted or file.content, place)
        if summary.id != file.id:
            raise IntegrityError(
                "changed-summaries",
                f"the content of the summary {file.id[:12]} has another id.",
                place=place,
                remedy="restore the store from a backup.",
            )
        return SummaryEntry(summary, file)

    @property
    def key(self) -> Key:
        """The hashes of the dataset's files."""
        return self.summary.statement.use.sha256

    @property
    def name(self) -> str:
        """The name of the dataset."""
        return self.summary.statement.use.name


def base_of(store: StoreLike, serial: str, reference: str | None) -> StoredCalibration:
    """The calibration to add to: the one named, or else the detector's latest accepted one.

    Raises ``NotFoundError`` where there is none.
    """
    if reference is not None:
        return store.calibrations.get(reference, serial)
    for line in reversed(store.calibrations.list(serial)):
        if line.state in (State.ACCEPTED, State.CERTIFIED):
            return store.calibrations.get(line.id)
    raise NotFoundError(
        "no-base",
        f"detector {serial} has no accepted calibration to add to.",
        remedy="derive without --add, or name a calibration with --onto.",
    )


def kept_summaries(store: StoreLike, stored: StoredCalibration) -> list[SummaryEntry]:
    """The summaries of a calibration's datasets; raises ``NotFoundError`` where one has none."""
    files = store.summaries.read(stored)
    bare = [
        use.name
        for use, file in zip(stored.record.report.datasets, files, strict=True)
        if file is None
    ]
    if bare:
        raise NotFoundError(
            "no-summaries",
            f"{stored.name} has no stored summary of {', '.join(bare)}.",
            remedy="derive it again from the files, together with the new ones.",
        )
    return [SummaryEntry.read(file, stored.name) for file in files if file is not None]


def check_summaries(bundle: Bundle, place: str) -> None:
    """Raise ``FileFormatError`` for a bundle with a summary that cannot be read from a store."""
    artifacts = dict(_columns(bundle, "artifact", "sha256", "content"))
    recorded = [
        (name, artifacts.get(sha256))
        for name, sha256 in _columns(bundle, "summary", "id", "artifact")
    ]
    converted = [
        (name, content)
        for name, file_format, content in _columns(
            bundle, "summary_content", "summary", "format", "content"
        )
        if file_format == FILE_FORMAT
    ]
    for name, content in recorded + converted:
        if isinstance(name, str) and isinstance(content, bytes):
            _check_summary(SummaryFile(name, content), place)


def _columns(bundle: Bundle, table: str, *names: str) -> Iterator[tuple[Any, ...]]:
    """These columns of all rows of a table in a bundle."""
    for rows in bundle.rows:
        if rows.table == table and set(names) <= set(rows.columns):
            yield from zip(*(rows.columns[name] for name in names), strict=True)


def _check_summary(file: SummaryFile, place: str) -> None:
    try:
        SummaryEntry.read(file, place)
    except FileFormatError as error:
        if error.code == "summary-newer":
            raise
        raise _unreadable(file, place, error) from error
    except IntegrityError as error:
        raise _unreadable(file, place, error) from error


def _unreadable(file: SummaryFile, place: str, error: CalibError) -> FileFormatError:
    return FileFormatError(
        "broken-bundle",
        f"the summary {file.id[:12]} in the bundle cannot be used: {error.problem}",
        place=place,
        remedy="export the bundle again with calib bundle create.",
    )


def select_summary(summaries: Sequence[SummaryEntry], name: str) -> SummaryEntry:
    """The summary of a dataset, by name or the beginning of its id; raises ``NotFoundError`` for
    none and ``InputError`` for several."""
    mine = [kept for kept in summaries if kept.name == name]
    if not mine and len(name) >= _SHORTEST_PREFIX:
        mine = [kept for kept in summaries if kept.file.id.startswith(name.lower())]
    if not mine:
        raise NotFoundError(
            "unknown-dataset",
            f"there is no dataset {name} among {', '.join(kept.name for kept in summaries)}.",
            remedy="give one of these names, or 8 or more characters of the summary's id.",
        )
    if len(mine) > 1:
        ids = ", ".join(kept.file.id[:12] for kept in mine)
        raise InputError(
            "ambiguous-dataset",
            f"{len(mine)} datasets are called {name}: {ids}.",
            remedy="give one of these ids.",
        )
    return mine[0]


def calibration_record(
    solution: Solution,
    summaries: Sequence[SummaryEntry],
    detector: DetectorRecord,
    parameters: Mapping[str, object],
) -> CalibrationRecord:
    """The record of a solution; ``summaries`` has those of its datasets, in their order."""
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


def new_summaries(
    statements: Sequence[Statement], detector: DetectorRecord, starts: Sequence[datetime | None]
) -> list[SummaryEntry]:
    """Summaries of new statements; ``starts`` as of ``Summary.started``."""
    return [
        SummaryEntry.of(
            Summary(
                statement,
                detector.serial,
                detector.layout_id,
                __version__,
                start,
                Additional({} if statement.sums is None else statement.sums.arrays()),
            )
        )
        for statement, start in zip(statements, starts, strict=True)
    ]


def beyond_linear_range(uses: Sequence[DatasetUse], how: str) -> list[str]:
    """A notice for each dataset whose summary was linearised too far from the solution; ``how`` is
    the command that reads it again, with NAME for the dataset."""
    return [
        f"{use.name}: the solution is beyond the linear range of its summary, which may shift it "
        f"by {use.linearisation_error_sigma:.2f} sigma; read the dataset again with "
        f"{how.replace('NAME', use.name)}."
        for use in uses
        if (use.linearisation_error_sigma or 0.0) > LINEAR_WITHIN_SIGMA
    ]
