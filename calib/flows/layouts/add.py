"""layout add: make the detectors in a file known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from calib.config.layouts import SUFFIX, known_detectors, layouts_folder, read_layouts
from calib.files.atomic import folder_for, read_bytes, write_safely
from calib.files.kinds import LAYOUTS
from calib.files.output_target import check_writable_target, refuse_bad_name
from calib.model.base.text import checked_name
from calib.model.detector.families import extended
from calib.model.detector.known_detector import KnownDetector


@dataclass(frozen=True, slots=True, eq=False)
class AddedLayouts:
    """Layouts that were made known."""

    detectors: tuple[KnownDetector, ...]
    path: Path
    """The copy in the settings folder."""


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
