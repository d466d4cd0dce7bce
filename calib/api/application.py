"""resolve and apply: the calibration for some data, and experiments with it applied."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from calib.api.arguments import (
    AnyPath,
    AnyStore,
    By,
    Time,
    choice_of,
    moment_text,
    opened,
    optional_time,
    stamp_of,
    time_text,
)
from calib.model.store.resolution import DistancePolicy, Resolution, TimePolicy

if TYPE_CHECKING:
    from calib.flows.apply import Applied
    from calib.model.store.record import ChangeStamp


def resolve(
    serial: str,
    *,
    at: Time,
    distance_mm: float,
    store: AnyStore = None,
    as_known_at: Time | int | None = None,
    distance_policy: str = "exact",
    time_policy: str = "prior",
) -> Resolution:
    """Find the calibration that is used for data of a given time and distance.

    The answer names the last position of the log that was read. The same query with that position
    as ``as_known_at`` always gives the same answer.

    Parameters
    ----------
    serial
        The detector's serial number.
    at
        When the data were taken.
    distance_mm
        The detector's distance, in mm.
    store
        A path, an address or an open store. Default: the store of the settings.
    as_known_at
        A position of the log, or a time: what was recorded later is ignored.
    distance_policy
        ``"exact"``: certified for this distance. ``"nearest"``: or beyond it, within the
        extrapolation limit of the certification.
    time_policy
        ``"prior"``: certified for this time. ``"closest"``: or the closest in time, also a later
        one.

    Returns
    -------
    Resolution
        The calibration, verified against its id, with its certification, and why other
        certifications of the detector did not apply.

    Raises
    ------
    InputError
        A time or a distance cannot be read.
    NotFoundError
        The detector is unknown, or nothing is certified for this time and distance.
    StoreError
        The store cannot be read.

    Examples
    --------
    >>> import calib
    >>> found = calib.resolve("3-0999", at="2026-03-05", distance_mm=150.0, store="calib.db")
    >>> found.calibration.name, found.certification.reason
    ('3-0999:1', 'first metrology')
    """
    from calib.flows.resolve import resolve as resolve_typed

    with opened(store, read_only=True) as found:
        return resolve_typed(
            found,
            serial,
            at=time_text(at, "at"),
            distance_mm=distance_mm,
            as_known_at=moment_text(as_known_at),
            distance_policy=choice_of(DistancePolicy, distance_policy, "distance_policy"),
            time_policy=choice_of(TimePolicy, time_policy, "time_policy"),
            now=datetime.now(UTC),
        )


def apply(
    experiments: AnyPath,
    output: AnyPath,
    *,
    reflections: AnyPath | None = None,
    reflections_output: AnyPath | None = None,
    store: AnyStore = None,
    by: By | ChangeStamp = None,
    serial: str | None = None,
    force_serial: bool = False,
    at: Time | None = None,
    images: AnyPath | None = None,
    read_images: bool = True,
    distance_mm: float | None = None,
    calibration: str | None = None,
    as_known_at: Time | int | None = None,
    distance_policy: str = "exact",
    time_policy: str = "prior",
    one_panel: str | None = None,
    nominal: bool = False,
    copy_if_missing: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> Applied:
    """Write experiments with the calibration for their time and distance applied.

    Only the panels' axes and origins change, and the positions of reflections in mm. Pose,
    beam, goniometer, crystals and scan stay as they are; an earlier correction is replaced.

    Parameters
    ----------
    experiments
        An experiment list (``.expt``).
    output
        Where to write it. A receipt (``.calib.json``) is written beside it.
    reflections
        Its reflections (``.refl``).
    reflections_output
        Where to write them. Default: beside ``output``, as ``.refl``.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who applies it. Default: the name in the settings, otherwise the login name. A
        ``ChangeStamp`` states the time as well, so that several files can share one.
    serial
        The detector's serial number. Default: from the file.
    force_serial
        Use ``serial`` even where the file names another detector.
    at
        When the data were taken. Default: from the file, or else its images.
    images
        The folder of the images that the experiments name. Default: where the experiments say.
    read_images
        Whether to read the serial number, the modules and the time from images that exist.
    distance_mm
        The detector's distance, in mm. Default: from the file.
    calibration
        Use this calibration. Default: the one certified for the data's time and distance.
    as_known_at
        A position of the log, or a time: what was recorded later is ignored.
    distance_policy, time_policy
        As for ``resolve``.
    one_panel
        What to do with a detector that is described as one panel. ``"panels"``: split it into its
        modules, and correct these. ``"positions"``: keep the panel, and move observed positions to
        where an ideal detector would have seen them. Default: split it if DIALS can read its images
        as modules, else refuse.
    nominal
        Take a correction off instead of applying one. Nothing is recorded.
    copy_if_missing
        Copy the files unchanged where no calibration is certified.
    force
        Replace existing outputs, each only where it is a regular file of the same format (an
        ``.expt`` by an ``.expt``); never inputs, and never files of the store.
    dry_run
        Do everything except writing.

    Returns
    -------
    Applied
        The detectors with the calibrations applied to them, the files written, the receipt, and
        whether the store has recorded it.

    Raises
    ------
    InputError
        The files cannot be used, or outputs exist and may not be replaced. Nothing is written.
    NotFoundError
        Nothing is certified for the data's time and distance.
    StoreError
        The store cannot be read.

    Examples
    --------
    >>> import calib
    >>> done = calib.apply("fixtures/small_far.expt", "calibrated.expt", store="calib.db", by="ana")
    >>> [detector.calibration for detector in done.detectors], done.recorded
    (['3-0999:1'], True)
    >>> [path.name for path in done.outputs], done.receipt.name
    (['calibrated.expt'], 'calibrated.expt.calib.json')
    """
    from calib.flows.apply import ApplyRequest
    from calib.flows.apply import apply as apply_request
    from calib.flows.layouts.one_panel import OnePanel
    from calib.flows.shared.images import ImagePlaces

    request = ApplyRequest(
        experiments=Path(experiments),
        output=Path(output),
        reflections=None if reflections is None else Path(reflections),
        reflections_output=None if reflections_output is None else Path(reflections_output),
        serial=serial,
        force_serial=force_serial,
        at=optional_time(at, "at"),
        images=ImagePlaces(None if images is None else Path(images), read_images),
        distance_mm=distance_mm,
        calibration=calibration,
        as_known_at=moment_text(as_known_at),
        distance_policy=choice_of(DistancePolicy, distance_policy, "distance_policy"),
        time_policy=choice_of(TimePolicy, time_policy, "time_policy"),
        one_panel=None if one_panel is None else choice_of(OnePanel, one_panel, "one_panel"),
        nominal=nominal,
        copy_if_missing=copy_if_missing,
        force=force,
    )
    with opened(store, read_only=dry_run, create=False) as found:
        return apply_request(request, found, stamp_of(by), dry_run=dry_run)
