"""split and merge: one-panel experiments as experiments of modules, and back."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from calib.config.layouts import known_detectors
from calib.errors import InputError
from calib.files.atomic import Outputs
from calib.files.kinds import EXPERIMENTS, REFLECTIONS
from calib.files.output_target import OutputRule
from calib.files.reader import TOGETHER, DataFiles, ExperimentFile, MovedReflections, read_data
from calib.flows.shared.images import ImagePlaces, images_in
from calib.flows.shared.modules import Split, at_place, merged_pose, modules_of
from calib.flows.shared.targets import detector_of_rows
from calib.model.base.arrays import Ints
from calib.model.base.text import checked_name

_CBF = re.compile(r"\.cbf(\.gz|\.bz2)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SplitRequest:
    """The files to convert, and what to know about them."""

    experiments: Path
    output: Path
    reflections: Path | None = None
    reflections_output: Path | None = None
    """None: beside ``output``, with the ending ``.refl``."""
    layout: str | None = None
    """None: recognised from the file."""
    serial: str | None = None
    """To recognise the layout; None: from the file."""
    images: ImagePlaces = field(default_factory=ImagePlaces)
    """Where the images are that state the serial, the model and the ROI mode."""
    halves: bool = False
    """Take each half of a module with a CdTe sensor as a panel."""
    with_shoeboxes: bool = True
    drop_correction: bool = False
    """Merge panels that are not at their nominal positions."""
    force: bool = False
    """Replace existing outputs by files of their own kind (``files/output_target``)."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are given."""
        both = (self.experiments, self.reflections)
        return tuple(path for path in both if path is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """Files that were split or merged."""

    detectors: tuple[Split, ...]
    outputs: tuple[Path, ...]
    reflections: MovedReflections | None
    """None where no reflections were given."""
    notices: tuple[str, ...]


def split(request: SplitRequest, *, dry_run: bool = False) -> Converted:
    """Write one-panel experiments as experiments of modules, with their reflections.

    Everything but detectors, imagesets and positions on panels is copied byte for byte. Raises
    ``LayoutError`` for a detector that is not recognised, ``InputError`` where nothing is to be
    split, and what ``Outputs`` raises.
    """
    outputs, data = _read(request)
    models = data.file.experiments
    alone = models.one_panel_detectors
    if not alone:
        raise InputError(
            "already-split",
            "no detector in this file has one panel only.",
            place=str(request.experiments),
            remedy="use the file as it is.",
        )
    known = known_detectors()
    images = images_in(data.file, request.experiments, request.images)
    found = [
        modules_of(
            known,
            models.detectors[k],
            k,
            layout=request.layout,
            serial=request.serial,
            header=images.header(k),
            halves=request.halves,
            place=str(request.experiments),
        )
        for k in alone
    ]
    maps = {one.index: one.known.modules for one in found}
    notices = [*images.notices, *(how_images_are_read(one, data.file) for one in found)]
    with at_place(str(request.experiments)):
        file = data.file.split(maps)
    reflections = None
    if request.reflections is not None:
        of = detector_of(data)
        reflections = data.split(maps, of, with_shoeboxes=request.with_shoeboxes)
    return _written(request, outputs, data, found, file, reflections, notices, dry_run=dry_run)


def merge(request: SplitRequest, *, dry_run: bool = False) -> Converted:
    """Write experiments of modules as one-panel experiments, with their reflections.

    Raises ``LayoutError`` for panels that are not the modules of a known flat detector, or not at
    their nominal positions, and otherwise as ``split``.
    """
    outputs, data = _read(request)
    models = data.file.experiments
    several = [k for k in models.detectors_in_use if len(models.detectors[k].panels) > 1]
    if not several:
        raise InputError(
            "already-merged",
            "no detector in this file has several panels.",
            place=str(request.experiments),
            remedy="use the file as it is.",
        )
    known = known_detectors()
    found, notices = [], []
    for k in several:
        one = merged_pose(
            known,
            models.detectors[k],
            k,
            layout=request.layout,
            drop_correction=request.drop_correction,
            place=str(request.experiments),
        )
        found.append(one)
        if one.pose is not None and one.pose.correction is None:
            notices.append(
                f"panels that were up to {1e3 * one.pose.residual_mm:.0f} um from their nominal "
                "positions are at these now; the correction is lost."
            )
    maps = {one.index: (one.known.modules, one.pose) for one in found if one.pose is not None}
    with at_place(str(request.experiments)):
        file = data.file.merged(maps)
    reflections = None if request.reflections is None else data.merged(maps, detector_of(data))
    return _written(request, outputs, data, found, file, reflections, notices, dry_run=dry_run)


def _read(request: SplitRequest) -> tuple[tuple[Path, ...], DataFiles]:
    """The outputs, checked before any work is done, and the files."""
    outputs = _outputs(request)
    (data,) = read_data(request.inputs, need_reflections=request.reflections is not None)
    return outputs, data


def _written(
    request: SplitRequest,
    outputs: tuple[Path, ...],
    data: DataFiles,
    found: list[Split],
    file: ExperimentFile,
    reflections: MovedReflections | None,
    notices: list[str],
    *,
    dry_run: bool,
) -> Converted:
    """Write both files unless this is a dry run, and list what is no longer in them."""
    lookups = data.file.lookup_files({one.index for one in found})
    if lookups:
        notices.append(
            "files with an array for each panel no longer fit and were removed from the imageset: "
            f"{', '.join(lookups)}."
        )
    notices += left_out(reflections)
    if reflections is not None and data.n_reflections and not reflections.n_kept:
        raise InputError(
            "outside-panels",
            f"none of the {data.n_reflections} reflections is on a module.",
            place=str(request.reflections),
            remedy=TOGETHER,
        )
    if not dry_run:
        with Outputs(inputs=request.inputs, force=request.force) as staged:
            staged.stage(outputs[0], file.data, EXPERIMENTS)
            if reflections is not None:
                staged.stage(outputs[1], reflections.write, REFLECTIONS)
            staged.commit()
    return Converted(tuple(found), outputs, reflections, tuple(dict.fromkeys(notices)))


def _outputs(request: SplitRequest) -> tuple[Path, ...]:
    """The outputs; raises ``InputError`` where they cannot be written."""
    rule = OutputRule(request.inputs, (), request.force)
    outputs = [request.output]
    if request.reflections is not None:
        outputs.append(request.reflections_output or request.output.with_suffix(".refl"))
    for path, kind in zip(outputs, (EXPERIMENTS, REFLECTIONS), strict=False):
        checked_name(path.name, "the name of an output")
        rule.target(path, kind)
    return tuple(outputs)


def detector_of(data: DataFiles) -> Ints:
    """(n,) the detector of each reflection; -1 where it is unknown."""
    models = data.file.experiments
    used = {entry.detector for entry in models.experiments}
    if len(used) <= 1:
        return np.full(data.n_reflections, next(iter(used), 0))
    return detector_of_rows(models, data.positions())


def how_images_are_read(one: Split, file: ExperimentFile) -> str:
    """What DIALS can do with the modules of a detector, as a sentence."""
    if dials_reads_modules(one, file):
        return f"DIALS reads mini-CBF images of a {one.known.name} as modules."
    return (
        f"DIALS reads the images of a {one.known.name} as one panel, so dials.find_spots and "
        "dials.integrate cannot use these experiments; indexing and refinement can."
    )


def dials_reads_modules(one: Split, file: ExperimentFile) -> bool:
    """Whether DIALS reads the images of a detector as its modules: mini-CBF of a PILATUS.

    Of a full CBF the panel has an identifier, which dxtbx leaves empty for mini-CBF of a PILATUS.
    """
    if one.halves or not one.known.family.dials_splits:
        return False
    images = file.image_files({one.index})
    mini = not images or not file.experiments.detectors[one.index].identifier
    return mini and all(_CBF.search(name) for name in images)


def left_out(moved: MovedReflections | None) -> list[str]:
    """Sentences about reflections, pixels and columns that are not in a moved table."""
    if moved is None:
        return []
    counts: Mapping[str, int] = {
        "reflections are in gaps between modules and were left out": moved.n_in_gaps,
        "reflections are on several modules and were left out": moved.n_across,
        "shoeboxes had valid pixels on other modules, which are masked now": moved.n_cut,
    }
    texts = [f"{count} {what}." for what, count in counts.items() if count]
    columns: Collection[str] = moved.left_out
    return [*texts, f"left out of the table: {', '.join(columns)}."] if columns else texts
