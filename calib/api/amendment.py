"""edit_detector, retire_detector and relabel: mend by adding what was recorded wrongly."""

from __future__ import annotations

from collections.abc import Callable

from calib.api.arguments import (
    AnyStore,
    By,
    Time,
    actor_of,
    opened,
    optional_time,
    stamp_of,
    time_text,
)
from calib.flows.amend.detectors import Edited, Retired, edit, retire
from calib.flows.amend.relabel import Relabelled
from calib.flows.amend.relabel import relabel as record_relabelling
from calib.flows.rules import refuse_anonymous
from calib.model.store.certification_rules import Consequences


def edit_detector(
    serial: str,
    *,
    reason: str,
    time_zone: str | None = None,
    description: str | None = None,
    layout_name: str | None = None,
    start: Time | None = None,
    store: AnyStore = None,
    by: By = None,
    dry_run: bool = False,
) -> Edited:
    """Change the time zone, description or model name of a detector.

    The earlier values stay in the log. Times that are stored already do not change.

    Parameters
    ----------
    serial
        The detector's serial number.
    reason
        Why it is changed; kept in the log.
    time_zone
        IANA name of the zone in which times without an offset are read. Default: no change.
    description
        A description for users. Default: no change.
    layout_name
        The name of the model. Default: no change.
    start
        From when on the new values hold; text without an offset is read in the new time zone.
        Default: the new values replace all earlier ones.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    dry_run
        Do everything except writing.

    Returns
    -------
    Edited
        The change, and the detector before and after it.

    Raises
    ------
    InputError
        Nothing would change, there is no reason, the zone is unknown, or ``start`` is in the
        future.
    NotFoundError
        The detector is not registered.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.edit_detector(
    ...     "3-0999", time_zone="Europe/Paris", reason="was wrong", store="calib.db", by="ana"
    ... )
    >>> done.before.time_zone, done.after.time_zone
    ('Europe/London', 'Europe/Paris')
    """
    with opened(store, read_only=dry_run, create=False) as found:
        return edit(
            found,
            serial,
            time_zone=time_zone,
            description=description,
            layout_name=layout_name,
            start=optional_time(start, "start"),
            reason=reason,
            stamp=stamp_of(by),
            dry_run=dry_run,
        )


def retire_detector(
    serial: str,
    *,
    reason: str,
    start: Time = "now",
    undo: bool = False,
    store: AnyStore = None,
    by: By = None,
    dry_run: bool = False,
) -> Retired:
    """Record that a detector is no longer in use, or is in use again.

    Certifications stay in force, so that data taken before can still be processed. Deriving from,
    applying to and certifying for later times gives a warning.

    Parameters
    ----------
    serial
        The detector's serial number.
    reason
        Why it is retired or in use again; kept in the log.
    start
        From when on it is retired.
    undo
        Record that it is in use again; ``start`` is ignored.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    dry_run
        Do everything except writing.

    Returns
    -------
    Retired
        The retirement, the one it replaces, and calibrations that are certified beyond it.

    Raises
    ------
    InputError
        The detector is retired from this time on already, or with ``undo`` is not retired; or
        there is no reason.
    NotFoundError
        The detector is not registered.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.retire_detector(
    ...     "3-0999", start="2026-09-01", reason="replaced", store="calib.db", by="ana"
    ... )
    >>> done.retirement.start.isoformat()
    '2026-08-31T22:00:00+00:00'
    """
    with opened(store, read_only=dry_run, create=False) as found:
        return retire(
            found,
            serial,
            start=time_text(start, "start"),
            undo=undo,
            reason=reason,
            stamp=stamp_of(by),
            dry_run=dry_run,
        )


def relabel(
    calibration: str,
    right: str,
    *,
    reason: str,
    certify: bool = False,
    supersede: bool = False,
    serial: str | None = None,
    store: AnyStore = None,
    by: By = None,
    before: Callable[[Consequences], None] | None = None,
    dry_run: bool = False,
) -> Relabelled:
    """Record a calibration again under the right serial, and withdraw the one under the wrong one.

    The calibration under the wrong serial stays on record, as parent of the new one. A detector
    with the right serial is registered where there is none.

    Parameters
    ----------
    calibration
        ``"SERIAL:VERSION"``, 8 or more characters of an id, or a bare version with ``serial``.
    right
        The right serial number.
    reason
        Why the serial was wrong; kept in the log.
    certify
        Certify it for the same times and distances as under the wrong serial.
    supersede
        With ``certify``, replace certifications of other calibrations where they overlap.
    serial
        The wrong serial number, where ``calibration`` is a bare version.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    before
        Called with what the withdrawal will change, before anything is written.
    dry_run
        Do everything except writing.

    Returns
    -------
    Relabelled
        Both calibrations, and the certifications that were withdrawn and recorded.

    Raises
    ------
    InputError
        It has this serial already or was relabelled before, or a certification would replace
        others without ``supersede``.
    LayoutError
        The detector with the right serial has another layout.
    NotFoundError
        There is no such calibration.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.relabel("3-0999:1", "3-0998", reason="typo", store="calib.db", by="ana")
    >>> done.wrong.name, done.stored.name
    ('3-0999:1', '3-0998:1')
    """
    actor = actor_of(by)
    with opened(store, read_only=dry_run, create=False) as found:
        refuse_anonymous(found, named=actor.personal)
        return record_relabelling(
            found,
            calibration,
            right,
            serial=serial,
            certify=certify,
            supersede=supersede,
            reason=reason,
            stamp=stamp_of(actor),
            before=before or (lambda _: None),
            dry_run=dry_run,
        )
