"""register: a detector with its layout and time zone, before any data of it."""

from __future__ import annotations

from pathlib import Path

from calib.api.arguments import AnyPath, AnyStore, By, opened, stamp_of
from calib.flows.detectors import Registered
from calib.flows.detectors import register as register_detector
from calib.flows.shared.images import ImagePlaces


def register(
    serial: str,
    *,
    layout: str | None = None,
    experiments: AnyPath | None = None,
    time_zone: str | None = None,
    description: str = "",
    store: AnyStore = None,
    by: By = None,
    force_serial: bool = False,
    halves: bool = False,
    images: AnyPath | None = None,
    read_images: bool = True,
    dry_run: bool = False,
) -> Registered:
    """Register a detector before any of its data are used.

    ``derive`` registers an unknown detector automatically, with times read as UTC.

    Parameters
    ----------
    serial
        The detector's serial number.
    layout
        Its nominal panels, by the name of a known model such as ``"PILATUS 6M"``.
    experiments
        An experiment list with its nominal panels; instead of ``layout``.
    time_zone
        IANA name of the zone in which times without an offset are read. Default: UTC.
    description
        A description for users.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    force_serial
        Use ``serial`` even where the experiments or their images name another detector.
    halves
        Take each half of a module with a CdTe sensor as a panel.
    images
        The folder of the images that the experiments name. Default: where the experiments say.
    read_images
        Whether to read the serial number, the modules and the time from images that exist.
    dry_run
        Do everything except writing.

    Returns
    -------
    Registered
        The detector as it is stored, and whether it is new.

    Raises
    ------
    InputError
        Neither or both of ``layout`` and ``experiments`` are given, or the serial is registered
        with another time zone.
    LayoutError
        The serial is registered with another layout.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> calib.Store.create("calib.db")
    True
    >>> done = calib.register(
    ...     "3-0999", layout="PILATUS 300K", time_zone="Europe/London", store="calib.db", by="ana"
    ... )
    >>> done.record.time_zone, done.new, len(done.record.layout)
    ('Europe/London', True, 3)
    """
    with opened(store, read_only=dry_run) as found:
        return register_detector(
            found,
            serial,
            experiments=None if experiments is None else Path(experiments),
            layout=layout,
            time_zone=time_zone,
            description=description,
            stamp=stamp_of(by),
            force_serial=force_serial,
            halves=halves,
            places=ImagePlaces(None if images is None else Path(images), read_images),
            dry_run=dry_run,
        )
