"""layout add: make the detectors in a file known, to this user or to all users of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.config.layouts import SUFFIX, known_detectors, layouts_folder, read_layouts
from calib.errors import InputError
from calib.files.atomic import folder_for, read_bytes, write_safely
from calib.files.kinds import LAYOUTS
from calib.files.output_target import check_writable_target, refuse_bad_name
from calib.flows.shared.modules import known_in
from calib.model.base.text import checked_name
from calib.model.detector.families import extended
from calib.model.detector.known_detector import KnownDetector
from calib.model.store.protocol import StoreLike
from calib.model.store.record import ChangeStamp
from calib.model.store.shared_layout import SharedLayout, layouts_in_force


@dataclass(frozen=True, slots=True, eq=False)
class AddedLayouts:
    """Layouts that were made known."""

    detectors: tuple[KnownDetector, ...]
    path: Path
    """The copy in the settings folder."""


@dataclass(frozen=True, slots=True, eq=False)
class SharedLayouts:
    """Layouts that were recorded in a store."""

    detectors: tuple[KnownDetector, ...]
    name: str
    """Of the file, without its ending."""
    new: bool
    """False where the store has this file already."""


def share_layouts(
    store: StoreLike,
    source: Path,
    *,
    reason: str,
    stamp: ChangeStamp,
    force: bool = False,
    dry_run: bool = False,
) -> SharedLayouts:
    """Record a file of layouts in the store, where all of its users find it.

    Raises ``FileFormatError`` for a file that cannot be used, ``InputError`` for names that are
    taken, and where the store has another file of its name and ``force`` is not set.
    """
    refuse_bad_name(source)
    detectors = tuple(read_layouts(source))
    content = read_bytes(source).decode("utf-8")
    layout = SharedLayout(0, source.stem, content, reason, stamp)
    before = [one for one in layouts_in_force(store.layouts.list()) if one.name == layout.name]
    if before and before[0].content == content:
        return SharedLayouts(detectors, layout.name, new=False)
    if before and not force:
        raise InputError(
            "layout-exists",
            f"the store has another file {layout.name} of layouts.",
            place=str(source),
            remedy="add --force to replace it, or give the file another name.",
        )
    extended(known_in(store, without=layout.name), detectors)
    if not dry_run:
        store.layouts.add(layout, stamp)
    return SharedLayouts(detectors, layout.name, new=True)


def add_layouts(source: Path, *, force: bool = False, dry_run: bool = False) -> AddedLayouts:
    """Copy a file of layouts to the settings folder, where every command finds it.

    Raises ``FileFormatError`` for a file that cannot be used, ``InputError`` for names that are
    taken, and what ``write_safely`` raises.
    """
    refuse_bad_name(source)
    target = layouts_folder() / checked_name(f"{source.stem}{SUFFIX}", "the name of the file")
    detectors = read_layouts(source)
    extended(known_detectors(without=[target]), detectors)
    if target.parent.exists() or not dry_run:
        folder_for(target)
        check_writable_target(target, LAYOUTS, inputs=(source,), force=force)
    if not dry_run:
        write_safely(target, read_bytes(source), LAYOUTS, inputs=(source,), force=force)
    return AddedLayouts(tuple(detectors), target)
