"""Checks of records that come from elsewhere: receipts, bundles and summaries.

They admit what this program could have recorded itself: numbers and instants within their bounds,
names under the rules for typed ones. Stores that hold other values still open: nothing here is
called when a store is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from calib.errors import InputError
from calib.model.base.bounds import (
    COUNT,
    DISTANCE_MM,
    EXTENT_MM,
    LENGTH_MM,
    N_PANELS,
    NUMBER,
    PANEL_SIZE_PX,
    PIXEL_MM,
    UNIT,
    VERSION,
    WAVELENGTH_ANGSTROM,
    WHOLE,
    checked_instant,
)
from calib.model.base.content import to_content
from calib.model.base.text import (
    LONGEST_NAME,
    LONGEST_TEXT,
    checked_name,
    checked_serial,
    checked_words,
    zone_named,
)
from calib.model.detector.layout import Layout
from calib.model.result.summary import Part, Summary
from calib.model.store.record import (
    Application,
    CalibrationRecord,
    Certification,
    ChangeStamp,
    DetectorRecord,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_application(application: Application) -> None:
    """Raise ``InputError`` for an application that no program of calib would have written."""
    one = application
    checked_serial(one.serial)
    _check_hashes((one.calibration_id,), "the id of its calibration")
    VERSION.checked(one.version, "its version")
    _check_hashes(one.input_sha256, "the hash of an input file")
    _check_hashes(one.output_sha256, "the hash of an output file")
    if not one.output_names:
        raise InputError("bad-text", "the name of an output file is missing.")
    for name in one.output_names:
        checked_name(name, "the name of an output file")
        if "/" in name:
            raise InputError("bad-text", "the name of an output file contains a folder.")
    if one.data_time is not None:
        checked_instant(one.data_time, "the time of the data")
    DISTANCE_MM.checked(one.distance_mm, "the distance")
    # The reason of the certification is a part of it.
    checked_words(one.why, "the reason for the choice", 2 * LONGEST_TEXT)
    check_stamp(one.applied)
    if one.applied != one.applied.signature:
        raise InputError("bad-text", "it contains a command or a reason, which receipts have not.")


def check_detector(record: DetectorRecord) -> None:
    """Raise ``InputError`` for a detector that could not have been registered here."""
    checked_serial(record.serial)
    zone_named(record.time_zone)
    checked_words(record.description, "the description of the detector")
    check_layout(record.layout)


def check_layout(layout: Layout) -> None:
    """Raise ``InputError`` for panels out of bounds."""
    N_PANELS.checked(len(layout), "the number of panels")
    for panel in layout.panels:
        checked_words(panel.name, "the name of a panel", LONGEST_NAME)
        for size in panel.size_px:
            PANEL_SIZE_PX.checked(size, "the size of a panel")
        for size_mm in panel.pixel_mm:
            PIXEL_MM.checked(size_mm, "the size of a pixel")
    for group in layout.groups:
        checked_words(group.name, "the name of a group of panels", LONGEST_NAME)
    if not (LENGTH_MM.all_in(layout.frames.origin_mm) and EXTENT_MM.all_in(layout.size_mm)):
        raise InputError("out-of-bounds", "panels are more than 100 m from one another.")
    # Columns are axes, whose products overflow where they are not of unit length.
    if not UNIT.all_in(layout.frames.rotation):
        raise InputError("out-of-bounds", "the axes of a panel are not of unit length.")


def check_calibration(record: CalibrationRecord, starts: Iterable[datetime | None]) -> None:
    """Raise ``InputError`` for a calibration that no derivation gives; ``starts`` are the times of
    its datasets."""
    checked_serial(record.serial)
    for distance in record.distances_mm:
        DISTANCE_MM.checked(distance, "a distance")
    for name in record.panel_names:
        checked_words(name, "the name of a panel", LONGEST_NAME)
    if not record.estimate.correction.within_bounds:
        raise InputError("out-of-bounds", "a panel is moved by more than 100 m.")
    if not NUMBER.all_in(record.estimate.covariance):
        raise InputError("out-of-bounds", "a covariance is out of range.")
    for start in starts:
        if start is not None:
            checked_instant(start, "the time of a dataset")
    for use in record.report.datasets:
        checked_name(use.name, "the name of a dataset")
    _check_content(to_content(record.report))
    _check_content(to_content(record.parameters))
    _check_content(record.acceptance.reasons)


def check_certification(certification: Certification) -> None:
    """Raise ``InputError`` for a certification that could not have been typed."""
    validity, distances = certification.validity, certification.distances
    checked_instant(validity.start, "the start of a certification")
    if validity.end is not None:
        checked_instant(validity.end, "the end of a certification")
    for called, value in (
        ("the shortest distance", distances.minimum_mm),
        ("the longest distance", distances.maximum_mm),
        ("the extrapolation limit", certification.gap_mm),
    ):
        EXTENT_MM.checked(value, called)
    checked_words(certification.reason, "the reason of a certification")
    checked_words(certification.override, "the reason for an override")


def check_summary(summary: Summary) -> None:
    """Raise ``InputError`` for a summary that no derivation gives, before its equations are
    solved."""
    statement = summary.statement
    checked_serial(summary.serial)
    if summary.started is not None:
        checked_instant(summary.started, "the time of the dataset")
    checked_name(statement.use.name, "the name of the dataset")
    DISTANCE_MM.checked(statement.use.distance_mm, "the distance")
    WAVELENGTH_ANGSTROM.checked(statement.use.wavelength_angstrom, "the wavelength")
    _check_content(to_content(statement.use))
    if not statement.point.within_bounds:
        raise InputError("out-of-bounds", "a panel is moved by more than 100 m.")
    arrays = [statement.fits.values, statement.shells.values, statement.shells.limits]
    for part in Part:
        equations = statement.part(part)
        arrays += [equations.own, equations.coupling, equations.vector]
    if not all(NUMBER.all_in(values) for values in arrays):
        raise InputError("out-of-bounds", "an element of its equations is out of range.")
    NUMBER.checked(statement.chi_square, "chi-square")
    NUMBER.checked(statement.n_data, "the number of data")
    COUNT.checked(statement.n_nuisance, "the number of parameters")
    for counts in (
        statement.used_on_panel, statement.rejected_on_panel, statement.flagged_on_panel,
    ):  # fmt: skip
        if not COUNT.all_in(counts):
            raise InputError("out-of-bounds", "a number of reflections is out of range.")
    for count in statement.n_held_out:
        COUNT.checked(count, "the number of held-out reflections")
    _check_content(statement.null_directions)


def _check_content(content: Any) -> None:
    """Check every number and text of plain content."""
    if isinstance(content, str):
        checked_words(content, "a text in it", 10 * LONGEST_TEXT)
    elif isinstance(content, Mapping):
        for key, value in content.items():
            _check_content(key)
            _check_content(value)
    elif isinstance(content, Sequence):
        for value in content:
            _check_content(value)
    elif content is not None and not isinstance(content, bool):
        bounds = WHOLE if isinstance(content, int) else NUMBER
        bounds.checked(content, "a number in it")


def check_stamp(stamp: ChangeStamp) -> None:
    """Raise ``InputError`` for a time out of range or names that could not have been typed."""
    checked_instant(stamp.at, "the time of the record")
    checked_name(stamp.actor, "the name of the actor")
    if stamp.host:
        checked_name(stamp.host, "the name of the host")


def _check_hashes(names: Sequence[str], called: str) -> None:
    if not names:
        raise InputError("bad-text", f"{called} is missing.")
    for name in names:
        if not _SHA256.fullmatch(name):
            raise InputError("bad-text", f"{called} is not a SHA-256 in hexadecimal.")
