"""bundle: copy a detector or a calibration with its history between stores, as one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.errors import InputError, NotFoundError
from calib.files.atomic import write_safely
from calib.files.kinds import BUNDLE
from calib.files.native.bundle import bundle_writer, read_bundle
from calib.files.output_target import check_writable_target
from calib.flows.shared.summaries import check_summaries
from calib.model.store.bundle import Bundle, Loaded
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp

ENDING = ".calib-bundle"


@dataclass(frozen=True, slots=True, eq=False)
class Created:
    """A bundle that was written."""

    bundle: Bundle
    output: Path


def create(
    store: StoreLike, what: str, output: Path | None, *, with_usage: bool, force: bool
) -> Created:
    """Write the bundle of a detector (by serial) or of a calibration (by any reference).

    Without ``output`` it is written to the current folder and named after its content.
    """
    try:
        store.detectors.get(what)
        serial, calibration_id, name = what, None, what
    except NotFoundError:
        found = store.calibrations.get(what)
        serial, calibration_id = found.record.serial, found.id
        name = f"{serial}-{found.version}"
    place = output or Path(f"{name.replace('/', '_')}{ENDING}")
    check_writable_target(place, BUNDLE, store=tuple(store.files), force=force)
    bundle = store.bundles.export(serial, calibration_id, with_usage=with_usage)
    write_safely(place, bundle_writer(bundle), BUNDLE, store=store.files, force=force)
    return Created(bundle, place)


def load(
    store: StoreLike, path: Path, stamp: ChangeStamp, *, adopt: bool, supersede: bool, dry_run: bool
) -> Loaded:
    """Record the content of a bundle that the store does not have yet, in one transaction; a dry
    run is rolled back.

    Its summaries are read first, so that nothing is recorded that cannot be read."""
    if not dry_run:
        store.require_writable(stamp.at)
    if supersede and not adopt:
        raise InputError("bad-use", "--supersede needs --adopt.", remedy="use --adopt --supersede.")
    bundle = read_bundle(path)
    check_summaries(bundle, str(path))
    load_or_preview = store.bundles.preview_load if dry_run else store.bundles.load
    return load_or_preview(bundle, stamp, adopt=adopt, supersede=supersede)
