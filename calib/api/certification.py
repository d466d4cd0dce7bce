"""certify and withdraw: from when, and for which distances, a calibration is used."""

from __future__ import annotations

from collections.abc import Callable

from calib.api.arguments import AnyStore, By, Time, actor_of, opened, optional_time, stamp_of
from calib.flows.certify import Certified, Withdrawn
from calib.flows.certify import certify as record_certification
from calib.flows.certify import withdraw as record_withdrawal
from calib.flows.rules import refuse_anonymous
from calib.model.store.certification_rules import Consequences


def certify(
    calibration: str,
    *,
    reason: str,
    store: AnyStore = None,
    by: By = None,
    start: Time | None = None,
    end: Time | None = None,
    min_distance_mm: float | None = None,
    max_distance_mm: float | None = None,
    gap_mm: float | None = None,
    supersede: bool = False,
    override: str = "",
    partial: bool = False,
    serial: str | None = None,
    dry_run: bool = False,
) -> Certified:
    """Certify a calibration for a period and a range of distances.

    The latest certification that covers the time and distance of the data decides which
    calibration is used. One that begins later takes over from one without an end; replacing
    any other requires ``supersede``.

    Parameters
    ----------
    calibration
        ``"SERIAL:VERSION"``, 8 or more characters of an id, or a bare version with ``serial``.
    reason
        Why it is certified; kept in the log.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who certifies it. Default: the name in the settings, otherwise the login name.
    start
        The beginning of the period, included. Default: when its earliest dataset was taken.
    end
        The end of the period, excluded. Default: until further notice.
    min_distance_mm
        The shortest distance, in mm. Default: half the shortest it was derived from.
    max_distance_mm
        The longest distance, in mm, excluded. Default: twice the longest it was derived from.
    gap_mm
        Extrapolation limit, in mm: how far beyond these distances it may be used where the nearest
        calibration is asked for. Default: a tenth of the longest distance.
    supersede
        Replace certifications of other calibrations where they overlap.
    override
        Why a draft is certified although it failed acceptance.
    partial
        Certify it although less than half of the panels are measured; without effect on others.
    serial
        The detector's serial number, where ``calibration`` is a bare version.
    dry_run
        Do everything except writing.

    Returns
    -------
    Certified
        The certification, the calibration with its new state, and the resulting changes.

    Raises
    ------
    InputError
        The calibration is a draft, or less than half of its panels are measured; its datasets have
        no time and ``start`` is missing; or other certifications would be replaced.
    NotFoundError
        There is no such calibration.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.certify("3-0999:1", reason="first metrology", store="calib.db", by="ana")
    >>> done.certification.validity.start.isoformat()
    '2026-03-01T09:00:00+00:00'
    >>> done.certification.distances.minimum_mm, done.certification.distances.maximum_mm
    (29.0, 300.0)
    >>> done.calibration.state.value
    'certified'
    """
    actor = actor_of(by)
    with opened(store, read_only=dry_run, create=False) as found:
        refuse_anonymous(found, named=actor.personal)
        return record_certification(
            found,
            calibration,
            serial=serial,
            start=optional_time(start, "start"),
            end=optional_time(end, "end"),
            min_distance_mm=min_distance_mm,
            max_distance_mm=max_distance_mm,
            gap_mm=gap_mm,
            reason=reason,
            override=override,
            partial=partial,
            supersede=supersede,
            stamp=stamp_of(actor),
            dry_run=dry_run,
        )


def withdraw(
    calibration: str,
    *,
    reason: str,
    store: AnyStore = None,
    by: By = None,
    number: int | None = None,
    serial: str | None = None,
    before: Callable[[Consequences], None] | None = None,
    dry_run: bool = False,
) -> Withdrawn:
    """Withdraw certifications of a calibration.

    Nothing is deleted. Earlier certifications that the withdrawn ones had replaced come into force
    again.

    Parameters
    ----------
    calibration
        ``"SERIAL:VERSION"``, 8 or more characters of an id, or a bare version with ``serial``.
    reason
        Why it is withdrawn; kept in the log.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who withdraws it. Default: the name in the settings, otherwise the login name.
    number
        The number of one certification. Default: all certifications of the calibration.
    serial
        The detector's serial number, where ``calibration`` is a bare version.
    before
        Called with what will change, before anything is written.
    dry_run
        Do everything except writing.

    Returns
    -------
    Withdrawn
        The certifications that were withdrawn, and the resulting changes.

    Raises
    ------
    InputError
        The certification belongs to another calibration.
    NotFoundError
        There is no such calibration or certification.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.withdraw("3-0999:1", reason="module 2 replaced", store="calib.db", by="ana")
    >>> [one.withdrawn_reason for one in done.certifications]
    ['module 2 replaced']
    """
    actor = actor_of(by)
    with opened(store, read_only=dry_run, create=False) as found:
        refuse_anonymous(found, named=actor.personal)
        return record_withdrawal(
            found,
            calibration,
            serial=serial,
            number=number,
            reason=reason,
            stamp=stamp_of(actor),
            before=before or (lambda _: None),
            dry_run=dry_run,
        )
