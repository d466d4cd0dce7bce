"""Metrology datasets from experiment lists and reflection tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from calib.errors import InputError
from calib.files.atomic import file_sha256
from calib.files.dials.pairs import Pair, pair_files
from calib.files.dials.plausibility import indexing_residual, outside_panel
from calib.files.dials.refl import read_table
from calib.files.dials.refl_modules import split_table
from calib.files.dials.select import Selected, read_reflections
from calib.files.refusals import TOGETHER, disagreement, refuse_one_panel
from calib.model.base.arrays import Ints
from calib.model.experiment import epochs
from calib.model.experiment.dataset import Apart, Dataset, Source
from calib.model.experiment.experiment import Detector, ExperimentList
from calib.model.experiment.reflections import Reflections

_FEW = 0.01


def load_datasets(
    paths: Sequence[Path],
    progress: Callable[[str, int, int], None] | None = None,
    *,
    need_reflections: bool = True,
) -> list[Dataset]:
    """The datasets in ``.expt`` and ``.refl`` files, given in any order.

    Files are matched as ``pair_files`` says. Experiments that share a detector form one dataset;
    it keeps its indexed reflections with a variance, flagged ones included. ``progress`` is called
    with the name of each pair before it is read, its number from 0, and their count. Raises
    ``InputError`` for files that cannot be used.
    """
    pairs = pair_files(paths, need_reflections=need_reflections)
    datasets: list[Dataset] = []
    for number, pair in enumerate(pairs):
        if progress is not None:
            progress(pair.name, number, len(pairs))
        own = datasets_of(pair)
        for data in own:
            if data.apart is not None:
                raise disagreement(data.apart, pair.experiment_path, pair.reflection_path)
        datasets += own
    return datasets


def datasets_of(pair: Pair) -> list[Dataset]:
    """The datasets in one pair of files, as of ``load_datasets``.

    Those whose reflections do not match their experiments have ``apart`` set.
    """
    models = pair.models or pair.file.experiments
    for index in sorted({entry.detector for entry in models.experiments}):
        refuse_one_panel(models.detectors[index], str(pair.experiment_path))
    selected = read_reflections(pair)
    reflections, px, notices = selected.reflections, selected.px, selected.notices
    if pair.modules:
        reflections, text = _on_modules(pair, selected)
        notices += text
    if pair.file.offset_maps:
        notices.append(
            f"{pair.file.name} names maps of pixel offsets ({', '.join(pair.file.offset_maps)}); "
            "a map and moved panels must not correct the same distortion twice."
        )
    notices += _scan_points_notices(pair.file.name, models)
    source = _source(pair)
    detector_of = _same_detectors(models)
    detectors = sorted(set(detector_of.tolist()))
    if len(reflections):
        empty = set(detectors) - set(detector_of[reflections.experiment].tolist())
        detectors = [index for index in detectors if index not in empty]
        notices += [
            f"detector {index} of {pair.file.name} has no indexed reflection and is left out."
            for index in sorted(empty)
        ]
    out = []
    for index in detectors:
        own, detector = reflections, models.detectors[index]
        if len(detectors) > 1 or (detector_of != index).any():
            own = reflections.where(detector_of[reflections.experiment] == index)
        apart = _apart(pair, models, own, detector)
        own_notices = (*notices, *(px[index].notices(_name(pair)) if index in px else ()))
        name = pair.name if len(detectors) == 1 else f"{pair.name}[detector {index}]"
        mine = sorted(
            {e.detector for e, k in zip(models.experiments, detector_of, strict=True) if k == index}
        )
        scans = tuple(epoch for one in mine for epoch in models.epochs_of(one))
        out.append(
            Dataset(
                name=name,
                source=source,
                experiments=models,
                detector=detector,
                reflections=own,
                epoch=epochs.earliest(scans),
                notices=own_notices,
                detector_index=index,
                why_no_time=epochs.ignored(scans),
                apart=apart,
            )
        )
    return out


def _same_detectors(models: ExperimentList) -> Ints:
    """(e,) the index of the detector of each experiment; of detectors of stills that state the same
    panels, the first one, since programs write a copy of the detector for each still."""
    own = np.array([entry.detector for entry in models.experiments], dtype=np.int64)
    of_scans = set(own[~models.stills].tolist())
    first: dict[object, int] = {}
    same = np.arange(len(models.detectors))
    for index, detector in enumerate(models.detectors):
        if index not in of_scans:
            same[index] = first.setdefault(_stated(detector), index)
    return np.asarray(same[own])


def _stated(detector: Detector) -> object:
    """What a detector model states about its panels, to be compared."""
    frames, sensors = detector.frames, detector.sensors
    arrays = (frames.origin_mm, frames.rotation, sensors.parallax, sensors.mu_per_mm)
    return (
        detector.panels,
        detector.identifier,
        *(array.tobytes() for array in (*arrays, sensors.thickness_mm)),
    )


def _scan_points_notices(name: str, models: ExperimentList) -> list[str]:
    """A notice about beams and goniometers with scan points, as experiments of the file use."""
    used = models.experiments
    beams = [models.beams[entry.beam] for entry in used]
    gonios = [models.goniometers[e.goniometer] for e in used if e.goniometer is not None]
    varying = {
        "beam": any(one.s0_at_scan_points is not None for one in beams),
        "goniometer": any(one.setting_at_scan_points is not None for one in gonios),
    }
    return [
        f"{name} has a scan-varying {model}: calib starts from the mean over its scan points and "
        "refines the change along the scan as changes of the crystal and of the spots."
        for model, varies in varying.items()
        if varies
    ]


def _on_modules(pair: Pair, selected: Selected) -> tuple[Reflections, list[str]]:
    """The selected reflections as ``calib split`` moves them, and a notice about those left out.

    Raises what ``refl_modules.split_table`` raises, and ``InputError`` where none is on a module.
    """
    if pair.reflection_path is None or pair.index is None:
        return selected.reflections, []
    entries = pair.file.experiments.experiments
    detectors = np.array([entry.detector for entry in entries] + [-1])
    experiment = pair.experiment_of_rows(read_table(pair.reflection_path, ("id",)))
    if len(set(detectors[:-1].tolist())) == 1:
        experiment[:] = 0
    moved = split_table(
        pair.reflection_path,
        pair.index,
        pair.modules,
        {index: pair.file.experiments.detectors[index] for index in pair.modules},
        detectors[experiment],
        with_shoeboxes=True,
    )
    old, row = selected.reflections, selected.row
    centroid = np.array(old.centroid_mm)
    centroid[:, :2] += moved.shift_mm[row]
    keep = moved.keep[row]
    if len(keep) and not keep.any():
        raise InputError(
            "outside-panels",
            f"none of the {len(keep)} indexed reflections is on a module.",
            place=str(pair.reflection_path),
            remedy=TOGETHER,
        )
    new = replace(old, panel=np.maximum(moved.panel[row], 0), centroid_mm=centroid).where(keep)
    lost = int((~keep).sum())
    notices = [
        f"{lost} of {len(keep)} indexed reflections in {pair.reflection_path.name} are in gaps "
        "between modules or on several modules, and are left out."
    ]
    return new, notices if lost else []


def _apart(
    pair: Pair, models: ExperimentList, reflections: Reflections, detector: Detector
) -> Apart | None:
    """The indexing residual where reflections do not match their experiments, else None.

    Raises ``InputError`` for reflections that are not on these panels.
    """
    if not len(reflections):
        return None
    n_panels, panel = len(detector.panels), reflections.panel
    unknown = panel[(panel < 0) | (panel >= n_panels)]
    if len(unknown):
        raise InputError(
            "panel-out-of-range",
            f"a reflection names panel {int(unknown[0])}, but the detector in "
            f"{pair.experiment_path} has {n_panels} panels.",
            place=f"{pair.reflection_path}, column panel",
            remedy=TOGETHER,
        )
    outside = outside_panel(reflections, detector)
    if outside.mean() > _FEW:
        raise InputError(
            "outside-panels",
            f"{int(outside.sum())} of {len(outside)} reflections in {pair.reflection_path} lie "
            f"outside their panels in {pair.experiment_path}.",
            remedy=TOGETHER,
        )
    found = indexing_residual(models, detector, reflections)
    if not found.is_far:
        return None
    return Apart(float(np.median(found.relative)), len(reflections))


def _source(pair: Pair) -> Source:
    if pair.reflection_path is None:
        return Source((pair.file.name,), (pair.file.sha256,))
    return Source(
        (pair.file.name, pair.reflection_path.name),
        (pair.file.sha256, file_sha256(pair.reflection_path)),
    )


def _name(pair: Pair) -> str:
    return "" if pair.reflection_path is None else pair.reflection_path.name
