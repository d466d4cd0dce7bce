"""Rows of the store of a large facility, generated with the functions that the store uses.

Ids, versions, log entries and chains are valid, so that every look-up and every chain verifies.
Covariances (50 GB) and optional rows (summaries, provenance, placements) are omitted. Reports have
a realistic size; twenty distinct ones are shared by all calibrations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Table

from calib.model.base.canonical import content_id
from calib.model.base.content import to_content
from calib.model.detector.correction import Freedom
from calib.model.store.log import STORE_CHAIN, Entry, entry_id
from calib.model.store.record import Application, ChangeStamp, calibration_content, panels_id
from calib.store.log.row_hashes import hash_of
from calib.store.schema.tables import (
    APPLICATION,
    CALIBRATION,
    CALIBRATION_DATASET,
    CERTIFICATION,
    DATASET,
    DEED,
    DETECTOR,
    ENTRY,
    PANEL,
)
from support.records import calibration, detector

DETECTORS = 500
N_PANELS = 60
PER_CALIBRATION = 10
"""Applications per calibration."""
BEGUN = datetime(2016, 1, 1, tzinfo=UTC)
APART = timedelta(days=18)
"""Interval between two calibrations of a detector."""
RANGE_MM = (75.0, 800.0)
TABLES = (
    DEED,
    ENTRY,
    DETECTOR,
    DATASET,
    CALIBRATION,
    CALIBRATION_DATASET,
    PANEL,
    CERTIFICATION,
    APPLICATION,
)
"""The tables filled, ordered so that foreign keys refer to earlier tables."""
Rows = dict[Table, list[tuple[Any, ...]]]


def serial_of(number: int) -> str:
    """The serial of a detector."""
    return f"60-{number:04d}"


def valid_from(version: int) -> datetime:
    """Start of validity of a version, which lasts until the next version."""
    return BEGUN + version * APART


@dataclass(frozen=True, slots=True)
class _Pattern:
    """Values shared by calibrations."""

    report: str
    report_id: str
    covariance: str
    parameters: dict[str, Any]
    reasons: str


class Filling:
    """All rows of a store with that number of calibrations, in batches."""

    def __init__(self, n_calibrations: int, part: int = 0, parts: int = 1) -> None:
        """Each of several parts has its own detectors with all their rows."""
        self._n, self._part, self._parts = n_calibrations, part, parts
        self._rng = np.random.default_rng((20260301, part))
        self._position = 0
        self._ends: dict[str, tuple[int, str]] = {}
        self._registrations: dict[str, tuple[int, str]] = {}
        self._rows: Rows = {}
        one = detector(serial_of(0), N_PANELS)
        self._layout = json.dumps(one.layout.content())
        self._layout_id = one.layout_id
        self._patterns = [_pattern(seed) for seed in range(20)]
        self._names = tuple(f"panel-{p}" for p in range(N_PANELS))
        self._status = ("measured",) * N_PANELS

    def batches(self) -> Iterator[Rows]:
        """The rows, in the order of the log."""
        steps = self._steps()
        while True:
            self._rows = {table: [] for table in TABLES}
            done = sum(1 for _ in islice(steps, 500))
            if not done:
                return
            yield self._rows

    def _steps(self) -> Iterator[None]:
        detectors = min(DETECTORS, self._n)
        for number in range(detectors):
            # Registrations form one chain: every part generates them, the first part keeps them.
            self._detector(serial_of(number))
        if self._part:
            self._rows = {table: [] for table in TABLES}
        for index in range(self._n):
            if index % DETECTORS % self._parts != self._part:
                continue
            self._position = detectors + index * (2 + PER_CALIBRATION)
            serial, version = serial_of(index % DETECTORS), index // DETECTORS + 1
            position, name = self._calibration(serial, version)
            self._certification(serial, version, position)
            for use in range(PER_CALIBRATION):
                self._application(serial, version, position, name, use)
            yield

    def _detector(self, serial: str) -> None:
        position = self._position + 1
        row = (position, serial, self._layout, self._layout_id, "Europe/London", "PILATUS3 6M")
        self._record("detector", STORE_CHAIN, {DETECTOR: [row]}, "registered")
        self._registrations[serial] = (position, self._ends[STORE_CHAIN][1])

    def _calibration(self, serial: str, version: int) -> tuple[int, str]:
        position = self._position + 1
        pattern = self._patterns[version % len(self._patterns)]
        values = self._rng.normal(scale=0.05, size=(N_PANELS, 6))
        sigmas = self._rng.uniform(1e-4, 5e-3, size=(N_PANELS, 6))
        counts = self._rng.integers(50, 10_000, N_PANELS).tolist()
        panels = panels_id(self._names, self._status, tuple(counts), values, sigmas)
        rows = [
            (position, p, self._names[p], self._status[p], counts[p], *value, *sigma)
            for p, (value, sigma) in enumerate(zip(values.tolist(), sigmas.tolist(), strict=True))
        ]
        record = _PLAIN
        name = content_id(
            calibration_content(
                serial=serial,
                layout_id=self._layout_id,
                distances_mm=record.distances_mm,
                freedom=Freedom.FULL,
                panels_id=panels,
                covariance_sha256=pattern.covariance,
                parameters=pattern.parameters,
                code_version=record.code_version,
                report_id=pattern.report_id,
                acceptance=record.acceptance,
            )
        )
        row = (
            position,
            name,
            self._registrations[serial][0],
            version,
            self._layout_id,
            json.dumps([float(distance) for distance in record.distances_mm]),
            Freedom.FULL.value,
            panels,
            pattern.covariance,
            json.dumps(pattern.parameters),
            record.code_version,
            pattern.report_id,
            pattern.report,
            True,
            pattern.reasons,
        )
        started = valid_from(version)
        data, uses = [], []
        for ordinal in range(2):
            files = [self._rng.bytes(32).hex(), self._rng.bytes(32).hex()]
            dataset = content_id({"format": "calib/dataset/1", "sha256": sorted(files)})
            listed = json.dumps(sorted(files))
            data.append((dataset, position, listed, "night", 190_000, 265.0, 0.9795, started))
            uses.append((position, ordinal, dataset, started))
        added = {CALIBRATION: [row], PANEL: rows, DATASET: data, CALIBRATION_DATASET: uses}
        self._record("calibration", serial, added, "")
        return position, name

    def _certification(self, serial: str, version: int, calibration: int) -> None:
        position, detector_key = self._position + 1, self._registrations[serial][0]
        region = (valid_from(version), None, *RANGE_MM, None)
        row = (position, calibration, detector_key, *region, "after the shutdown", "")
        self._record("certification", serial, {CERTIFICATION: [row]}, "after the shutdown")

    def _application(
        self, serial: str, version: int, calibration: int, name: str, use: int
    ) -> None:
        position = self._position + 1
        at = valid_from(version) + (use + 1) * timedelta(hours=20)
        made = Application(
            serial=serial,
            calibration_id=name,
            version=version,
            input_sha256=(self._rng.bytes(32).hex(),),
            output_sha256=(self._rng.bytes(32).hex(),),
            output_names=("calibrated.expt",),
            data_time=at,
            distance_mm=265.1,
            why="certified for this time and distance",
            applied=ChangeStamp(at, "ada", "beamline"),
        )
        row = (
            position,
            made.id,
            calibration,
            serial,
            version,
            json.dumps(made.input_sha256),
            json.dumps(made.output_sha256),
            json.dumps(made.output_names),
            at,
            made.distance_mm,
            made.why,
            at,
            "ada",
            "beamline",
        )
        self._record("application", serial, {APPLICATION: [row]}, "")

    def _record(self, kind: str, chain: str, added: Rows, reason: str) -> None:
        """Add rows with their log position and log entry."""
        self._position += 1
        at = BEGUN + self._position * timedelta(seconds=60)
        ordinal, previous = self._ends.get(chain) or (
            0,
            self._registrations.get(chain, (0, None))[1],
        )
        entry = Entry(
            position=self._position,
            recorded=ChangeStamp(at, "ada", "beamline", f"calib {kind}", reason),
            chain=chain,
            ordinal=ordinal + 1,
            kind=kind,
            contents={table.name: hash_of(table, rows) for table, rows in added.items()},
            salt=hashlib.sha256(f"{self._position}".encode()).hexdigest()[:32],
            previous=previous,
            hash="",
        )
        entry = replace(entry, hash=entry_id(entry))
        self._ends[chain] = (entry.ordinal, entry.hash)
        self._rows[DEED].append((self._position, at, "ada", "beamline"))
        self._rows[ENTRY].append(
            (
                entry.position,
                chain,
                entry.ordinal,
                kind,
                entry.recorded.command,
                reason,
                json.dumps(entry.contents, sort_keys=True),
                entry.salt,
                previous,
                entry.hash,
            )
        )
        for table, rows in added.items():
            self._rows[table].extend(rows)


_PLAIN = calibration(n_panels=N_PANELS)


def _pattern(seed: int) -> _Pattern:
    record = calibration(seed=seed, n_panels=N_PANELS)
    return _Pattern(
        report=json.dumps(to_content(record.report)),
        report_id=record.report_id,
        covariance=record.covariance_sha256,
        parameters=dict(to_content(record.parameters)),
        reasons=json.dumps(list(record.acceptance.reasons)),
    )
