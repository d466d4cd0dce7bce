"""derive and combine: calibrations from datasets, or from their stored summaries."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from calib.api.arguments import (
    AnyPath,
    AnyStore,
    By,
    Time,
    choice_of,
    opened,
    optional_time,
    stamp_of,
)

if TYPE_CHECKING:
    from calib.flows.derive import DeriveProgress
    from calib.flows.shared.results import Derived
    from calib.solve.prior import PanelPrior


def derive(
    files: AnyPath | Iterable[AnyPath],
    *,
    store: AnyStore = None,
    by: By = None,
    serial: str | None = None,
    force_serial: bool = False,
    at: Time | None = None,
    images: AnyPath | None = None,
    read_images: bool = True,
    add: bool = False,
    base: str | None = None,
    relinearise: bool = False,
    freedom: str | None = None,
    prior: PanelPrior | None = None,
    ignore_flags: bool = False,
    obey_flags: bool = False,
    pose_per_experiment: bool = False,
    space_group: str | None = None,
    free_beam: bool = True,
    free_strain: bool = True,
    free_shift: bool = True,
    crystals: str = "auto",
    crystal_interval_deg: float | None = None,
    keep_all: bool = False,
    what_if: str = "brief",
    workers: int | None = None,
    scheduler: str | None = None,
    time_zone: str | None = None,
    dry_run: bool = False,
    progress: DeriveProgress | None = None,
) -> Derived:
    """Derive the panel corrections that all datasets share, and store them.

    The sum of squared residuals in x, y and phi (delta-psi for stills), plus the prior, is
    minimised over the panels' corrections, the pose of each dataset and its crystals. A derivation
    that fails acceptance is stored as a draft.

    Parameters
    ----------
    files
        Experiment lists (``.expt``) and reflection tables (``.refl``), in any order.
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    serial
        The detector's serial number. Default: from the files.
    force_serial
        Use ``serial`` even where the files name another detector.
    at
        When all the data were taken. Default: from the files, or else their images.
    images
        The folder of the images that the experiments name. Default: where the experiments say.
    read_images
        Whether to read the serial number, the modules and the time from images that exist.
    add
        Add the datasets to those of the detector's latest accepted calibration, which are taken
        from their stored summaries.
    base
        Add to this calibration instead.
    relinearise
        Add; datasets that the calibration already has are read again in place of their summaries.
    freedom
        ``"full"`` (all six parameters of each panel) or ``"in-plane"`` (dx, dy, rz; the others are
        held at nominal). Default: full.
    prior
        The assembly tolerance of the panels, in mm and rad.
    ignore_flags
        Reconsider reflections that the files flag as outliers or excluded.
    obey_flags
        Leave out all reflections that the files flag as outliers. Default: judge these anew, once
        panels have been refined without them.
    pose_per_experiment
        Refine one pose for each experiment, rather than one for each file.
    space_group
        Symmetry of all crystals, such as ``"P43212"``. Default: from the files.
    free_beam
        Refine the beam's tilt towards the spindle in scans, with a prior of 1 mrad.
    free_strain
        Refine the strains that the symmetry of a crystal forbids, with a prior whose width is
        learned from the data, from 0.1 % on.
    free_shift
        Refine a smooth shift of the spots during each scan, as beam or detector may drift; only
        where crystals vary.
    crystals
        Whether orientation and cell vary smoothly along scans (``"auto"``, ``"varying"``) or not
        (``"static"``).
    crystal_interval_deg
        Length of the intervals of that variation, in degrees. Default: the
        smaller of 15 and a third of the scan.
    keep_all
        Keep datasets and experiments that do not fit the others.
    what_if
        Rows of the what-if table: ``"brief"``, or ``"full"`` for those, too, that need a further
        pass over the reflections or leave out halves of scans.
    workers
        Number of processes that hold the datasets; 0 for this process alone. Default: chosen from
        the number and size of the files.
    scheduler
        Address of the scheduler of a Dask cluster that holds them instead.
    time_zone
        IANA name of the zone of a new detector, in which times in the files are read. Default: UTC.
    dry_run
        Do everything except writing.
    progress
        Called with stage, iteration, RMSD in px, and how many of how many datasets are done.

    Returns
    -------
    Derived
        The record, with the estimate for the n panels (``record.estimate.correction.values``,
        shape (n, 6) in mm and rad) and the report, and the calibration as it was stored.

    Raises
    ------
    InputError
        The files cannot be used, or do not determine the requested parameters. Nothing is stored.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> files = ["fixtures/small_near.expt", "fixtures/small_near.refl",
    ...          "fixtures/small_far.expt", "fixtures/small_far.refl"]
    >>> done = calib.derive(files, store="calib.db", by="ana")
    >>> done.stored.name, done.record.acceptance.accepted
    ('3-0999:1', True)
    >>> done.record.estimate.correction.values.shape
    (3, 6)
    """
    from calib.flows.derive import DeriveRequest
    from calib.flows.derive import derive as derive_request
    from calib.flows.shared.images import ImagePlaces
    from calib.model.detector.correction import Freedom
    from calib.solve.options import Crystals, WhatIfRows
    from calib.solve.prior import PanelPrior

    paths = [files] if isinstance(files, str | PathLike) else files
    request = DeriveRequest(
        paths=tuple(Path(path) for path in paths),
        serial=serial,
        force_serial=force_serial,
        at=optional_time(at, "at"),
        images=ImagePlaces(None if images is None else Path(images), read_images),
        freedom=None if freedom is None else choice_of(Freedom, freedom, "freedom"),
        prior=(prior or PanelPrior()).checked(),
        ignore_flags=ignore_flags,
        obey_flags=obey_flags,
        pose_per_experiment=pose_per_experiment,
        space_group=space_group,
        free_beam=free_beam,
        free_strain=free_strain,
        free_shift=free_shift,
        crystals=choice_of(Crystals, crystals, "crystals"),
        crystal_interval_deg=crystal_interval_deg,
        keep_all=keep_all,
        what_if=choice_of(WhatIfRows, what_if, "what_if"),
        add=add,
        base=base,
        relinearise=relinearise,
        workers=workers,
        scheduler=scheduler,
        time_zone=time_zone,
    )
    with opened(store, read_only=dry_run) as found:
        return derive_request(request, found, stamp_of(by), dry_run=dry_run, progress=progress)


def combine(
    sources: str | Iterable[str],
    *,
    store: AnyStore = None,
    by: By = None,
    without: Iterable[str] = (),
    serial: str | None = None,
    freedom: str | None = None,
    prior: PanelPrior | None = None,
    dry_run: bool = False,
) -> Derived:
    """Derive a calibration from the stored summaries of datasets, without their files.

    The normal equations of all summaries are added to the prior and solved. Where two sources have
    the same dataset, the summary from the later source is used.

    Parameters
    ----------
    sources
        Calibrations of one detector (``"SERIAL:VERSION"``, 8 or more characters of an id, or a
        bare version with ``serial``), and files of summaries (``.calib.npz``).
    store
        A path, an address or an open store. Default: the store of the settings.
    by
        Who makes the change. Default: the name in the settings, otherwise the login name.
    without
        Datasets to omit: their names, or the beginning of a summary's id.
    serial
        The detector's serial number, where a source is a bare version.
    freedom
        ``"full"`` or ``"in-plane"``. Default: full.
    prior
        The assembly tolerance of the panels, in mm and rad.
    dry_run
        Do everything except writing.

    Returns
    -------
    Derived
        As for ``derive``.

    Raises
    ------
    InputError
        The sources cannot be used together. Nothing is stored.
    NotFoundError
        There is no such calibration or dataset.
    StoreError
        The store cannot be read or written.

    Examples
    --------
    >>> import calib
    >>> done = calib.combine("3-0999:1", without=["small_far"], store="calib.db", dry_run=True)
    >>> [dataset.name for dataset in done.record.report.datasets]
    ['small_near']
    >>> done.record.estimate.freedom.value
    'full'
    """
    from calib.flows.combine import CombineRequest
    from calib.flows.combine import combine as combine_request
    from calib.model.detector.correction import Freedom
    from calib.solve.prior import PanelPrior

    request = CombineRequest(
        sources=(sources,) if isinstance(sources, str) else tuple(sources),
        without=tuple(without),
        serial=serial,
        freedom=None if freedom is None else choice_of(Freedom, freedom, "freedom"),
        prior=(prior or PanelPrior()).checked(),
    )
    with opened(store, read_only=dry_run) as found:
        return combine_request(request, found, stamp_of(by), dry_run=dry_run)
