"""DIALS experiment lists ``.expt``: read, and written again with other panel frames.

The bytes of the file are kept, and only the numbers of moved panels are replaced: all other
models, unknown keys, white space and the format of numbers are unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from calib.errors import FileFormatError, InputError, LayoutError
from calib.files.atomic import read_bytes
from calib.files.dials.expt_detector import local_frames, panel_edits, read_detector
from calib.files.dials.expt_models import read_beam, read_crystal, read_goniometer, read_scan
from calib.files.dials.expt_modules import (
    LOOKUPS,
    first_images,
    imageset_edits,
    in_style,
    merged_detector,
    split_detector,
    values_of,
)
from calib.files.dials.json_text import JsonText, Member, edited
from calib.files.dials.json_value import Node
from calib.files.dials.refl_header import looks_like_table
from calib.files.kinds import HEAD
from calib.files.other_files import not_an_experiment_list, refuse_other_file
from calib.model.detector.frames import RigidMotion
from calib.model.detector.layout import PanelFrames
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.experiment import Detector, Experiment, ExperimentList
from calib.model.experiment.pose import DetectorPose

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class ExperimentFile:
    """One experiment list: its bytes and what they mean."""

    name: str
    """File name without folder."""
    data: bytes
    experiments: ExperimentList
    position: Mapping[str, int]
    """The index in the list of each experiment identifier."""
    offset_maps: tuple[str, ...]
    """Paths of the dx and dy maps that imagesets name; usually none."""
    sha256: str
    """The hash of the bytes, in hexadecimal."""
    _root_frames: tuple[PanelFrames, ...]
    """The panels of each detector relative to the file's own root frame."""
    _detectors_at: int
    """The offset of the text of the list of detectors."""
    _detector_places: tuple[int, ...]
    """The index of each detector in that list."""

    @staticmethod
    def read(path: Path) -> ExperimentFile:
        """The experiment list in a file.

        Raises ``MissingFileError`` and ``FileFormatError``.
        """
        return ExperimentFile.parse(read_bytes(path), path.name, place=str(path))

    @staticmethod
    def parse(data: bytes, name: str, *, place: str = "") -> ExperimentFile:
        """The experiment list in these bytes; ``place`` (or ``name``) is used in error messages."""
        _refuse_others(data[:HEAD], place or name)
        document = JsonText.decode(data, place or name)
        values, detectors_at = _top_level(document)
        top = Node(values, document.file, "")
        read = {
            key: _Models(top, key, reader)
            for key, reader in (
                ("beam", read_beam),
                ("detector", _detector_and_frames),
                ("goniometer", read_goniometer),
                ("scan", read_scan),
                ("crystal", read_crystal),
            )
        }
        entries = top.at("experiment").elements()
        if not read["beam"].models and not any(node.find("beam") for node in entries):
            entries = []  # a file of detectors only, such as a reference geometry
        placed = read["detector"].models
        experiments = ExperimentList(
            tuple(_experiment(node, read) for node in entries),
            tuple(read["beam"].models),
            tuple(detector for detector, _ in placed),
            tuple(read["goniometer"].models),
            tuple(read["scan"].models),
            tuple(read["crystal"].models),
        )
        places = tuple(read["detector"].place_of)
        position = _positions(experiments, document.file)
        return ExperimentFile(
            name=name,
            data=data,
            experiments=experiments,
            position=position,
            offset_maps=_offset_maps(top),
            sha256=hashlib.sha256(data).hexdigest(),
            _root_frames=tuple(frames for _, frames in placed),
            _detectors_at=detectors_at,
            _detector_places=places,
        )

    @property
    def stem(self) -> str:
        """The file name without its ending."""
        return Path(self.name).stem

    def root_frames(self, detector: int) -> PanelFrames:
        """The panels of a detector relative to the file's own root frame.

        That is ``lab_from_root`` where the detector has one, else the laboratory; these are the
        frames which ``with_frames`` replaces, as exact as the file gives them.
        """
        return self._root_frames[detector]

    def with_frames(self, frames: Mapping[int, PanelFrames]) -> ExperimentFile:
        """The same file with the panels of some detectors at other positions.

        ``frames`` gives, by index of the detector, its panels' frames relative to the file's own
        root frame: inside ``lab_from_root`` where the detector has one, else in the laboratory.
        Raises ``LayoutError`` where their number differs from the detector's panels.
        """
        if not frames:
            return self
        document = JsonText.decode(self.data, self.name)
        texts = self._detectors_in(document)
        edits: list[tuple[int, int, str]] = []
        for index, new in frames.items():
            node, start = texts[self._detector_places[index]]
            detector, tree = read_detector(node)
            if len(new) != len(detector.panels):
                raise LayoutError(
                    "panel-count",
                    f"{len(new)} panel frames, expected {len(detector.panels)}.",
                    place=f"{self.name}, {node.path}",
                )
            edits += panel_edits(document, start, local_frames(node), tree.to_local(new))
        text = edited(document.text, edits)
        texts = self._detectors_in(JsonText(text, self.name))
        detectors, root_frames = list(self.experiments.detectors), list(self._root_frames)
        for index in frames:
            node = texts[self._detector_places[index]][0]
            detectors[index], root_frames[index] = _detector_and_frames(node)
        data = text.encode("utf-8")
        return replace(
            self,
            data=data,
            experiments=replace(self.experiments, detectors=tuple(detectors)),
            sha256=hashlib.sha256(data).hexdigest(),
            _root_frames=tuple(root_frames),
        )

    def split(self, modules: Mapping[int, ModuleMap]) -> ExperimentFile:
        """The same file with the only panel of some detectors cut into modules.

        ``modules`` gives them by index of the detector. Imagesets are read with ``multi_panel``.
        Raises ``InputError`` where imagesets name maps of pixel offsets.
        """
        if self.offset_maps:
            raise InputError(
                "offset-maps",
                f"the imagesets name maps of pixel offsets ({', '.join(self.offset_maps)}), which "
                "DIALS could not read for several panels.",
                place=self.name,
                remedy="import the images again without lookup.dx and lookup.dy.",
            )
        frames = {k: self.experiments.detectors[k].frames for k in modules}
        lab = {k: RigidMotion(one.rotation[0], one.origin_mm[0]) for k, one in frames.items()}
        return self._with_detectors(
            {k: partial(split_detector, modules=modules[k], lab=lab[k]) for k in modules},
            multi_panel=True,
        )

    def merged(self, modules: Mapping[int, tuple[ModuleMap, DetectorPose]]) -> ExperimentFile:
        """The same file with the modules of some detectors as one panel.

        ``modules`` gives them, and where they are, by index of the detector. Raises
        ``LayoutError`` where the panels differ in more than their place.
        """
        return self._with_detectors(
            {
                k: partial(
                    merged_detector,
                    modules=own,
                    order=pose.order,
                    root=pose.lab_from_root,
                    exact=pose.exact,
                )
                for k, (own, pose) in modules.items()
            },
            multi_panel=False,
        )

    def lookup_files(self, detectors: Collection[int]) -> tuple[str, ...]:
        """The files of masks, gains and pedestals of the imagesets of these detectors."""
        return values_of(self._imagesets(detectors), LOOKUPS)

    def image_files(self, detectors: Collection[int]) -> tuple[str, ...]:
        """The names or templates of the images of these detectors."""
        return values_of(self._imagesets(detectors), ("template", "images"))

    def first_images(self, detector: int) -> tuple[str, ...]:
        """The first image of each imageset of a detector, as the file names it."""
        return first_images(self._members()[1].get("imageset"), self.experiments, detector)

    def _imagesets(self, detectors: Collection[int]) -> list[Any]:
        _, top = self._members()
        found = top["imageset"].value if "imageset" in top else []
        used = {e.imageset for e in self.experiments.experiments if e.detector in detectors}
        return [one for k, one in enumerate(found if isinstance(found, list) else []) if k in used]

    def _with_detectors(
        self, made: Mapping[int, Callable[[Any], Any]], *, multi_panel: bool
    ) -> ExperimentFile:
        """The file with other detectors, each made from its JSON, and their imagesets."""
        document, top = self._members()
        detectors = list(document.members(self._detectors_at))
        edits: list[tuple[int, int, str]] = []
        for index, make in made.items():
            member = detectors[self._detector_places[index]]
            edits.append((member.start, member.end, in_style(document, member, make(member.value))))
        entries = self.experiments.experiments
        used = {e.imageset for e in entries if e.detector in made and e.imageset is not None}
        if "imageset" in top and isinstance(top["imageset"].value, list):
            for member in document.members(top["imageset"].start):
                if member.key in used and isinstance(member.value, dict):
                    edits += imageset_edits(document, member, multi_panel=multi_panel)
        return ExperimentFile.parse(edited(document.text, edits).encode(), self.name)

    def _members(self) -> tuple[JsonText, dict[str, Member]]:
        """The text of the file, and its members by key."""
        document = JsonText.decode(self.data, self.name)
        members = document.members(document.skip_space(0))
        return document, {str(member.key): member for member in members}

    def _detectors_in(self, document: JsonText) -> list[tuple[Node, int]]:
        """The values of the list of detectors, and the offset of the text of each."""
        return [
            (Node(member.value, self.name, f"detector[{member.key}]"), member.start)
            for member in document.members(self._detectors_at)
        ]


class _Models:
    """The models of one list without the nulls, and the index of each in the list."""

    def __init__(self, top: Node, key: str, reader: Callable[[Node], Any]) -> None:
        found = top.find(key)
        nodes = found.elements() if found else []
        self.key = key
        self.place_of = [index for index, node in enumerate(nodes) if node.value is not None]
        self.models = [reader(nodes[index]) for index in self.place_of]
        self.n_places = len(nodes)
        self.index_at = {place: index for index, place in enumerate(self.place_of)}

    def index(self, experiment: Node) -> int | None:
        """The index among the models which an experiment names; None for none or null."""
        named = experiment.find(self.key)
        if named is None:
            return None
        if isinstance(named.value, str):
            raise named.bad(expected="an index (calib reads no models from further files)")
        place = named.integer()
        if not 0 <= place < self.n_places:
            raise named.bad(
                expected=f"an index below {self.n_places}, the number of {self.key} models"
            )
        return self.index_at.get(place)

    def required_index(self, experiment: Node) -> int:
        """The index, for a model that every experiment must have."""
        index = self.index(experiment)
        if index is None:
            raise FileFormatError(
                "no-model",
                f"the experiment has no {self.key}, expected one.",
                place=f"{experiment.file}, {experiment.path}",
                remedy="write the file again with DIALS.",
            )
        return index


def _experiment(node: Node, read: Mapping[str, _Models]) -> Experiment:
    """An experiment; one whose scan does not rotate is a still and gets no goniometer."""
    identifier, imageset = node.find("identifier"), node.find("imageset")
    scan = read["scan"].index(node)
    rotates = scan is not None and read["scan"].models[scan].width_rad != 0.0
    return Experiment(
        identifier=identifier.name() if identifier else "",
        beam=read["beam"].required_index(node),
        detector=read["detector"].required_index(node),
        goniometer=read["goniometer"].index(node) if rotates else None,
        scan=scan,
        crystal=read["crystal"].index(node),
        imageset=imageset.value if imageset and isinstance(imageset.value, int) else None,
    )


def _positions(experiments: ExperimentList, file: str) -> dict[str, int]:
    """The index of each experiment identifier; files may leave identifiers empty."""
    position: dict[str, int] = {}
    for index, entry in enumerate(experiments.experiments):
        first = position.setdefault(entry.identifier, index) if entry.identifier else index
        if first != index:
            raise FileFormatError(
                "duplicate-identifier",
                f"experiments {first} and {index} have the same identifier, so that reflections "
                f"cannot be assigned to them: {entry.identifier}.",
                place=f"{file}, experiment[{index}].identifier",
                remedy="combine the experiments again with dials.combine_experiments, which gives "
                "each its own.",
            )
    return position


def _detector_and_frames(node: Node) -> tuple[Detector, PanelFrames]:
    """A detector, and its panels relative to the file's own root frame."""
    detector, tree = read_detector(node)
    return detector, tree.from_local(local_frames(node))


def _offset_maps(top: Node) -> tuple[str, ...]:
    imagesets = top.find("imageset")
    found = [
        str(path.value)
        for imageset in (imagesets.elements() if imagesets else [])
        if isinstance(imageset.value, dict)
        for key in ("dx", "dy")
        if (path := imageset.find(key)) and path.value
    ]
    return tuple(dict.fromkeys(found))


def _top_level(document: JsonText) -> tuple[dict[str, Any], int]:
    """The values of the whole file, and the offset of the list of detectors."""
    start = document.skip_space(0)
    if document.text[start : start + 1] != "{":
        value, _ = document.value(start)
        raise not_an_experiment_list(document.file, value)
    values: dict[str, Any] = {}
    detectors_at, end = 0, start
    for member in document.members(start):
        values[str(member.key)] = member.value
        end = member.end
        if member.key == "detector":
            detectors_at = member.start
    rest = document.skip_space(document.end_of(start, end))
    if rest < len(document.text):
        raise document.bad(rest, "the end of the file")
    if values.get("__id__") != "ExperimentList":
        raise not_an_experiment_list(document.file, values)
    return values, detectors_at


def _refuse_others(head: bytes, name: str) -> None:
    if looks_like_table(head):
        raise FileFormatError(
            "not-an-experiment-list",
            "this is a reflection table, expected an experiment list.",
            place=name,
            remedy="give the .expt file in its place.",
        )
    if not head.strip():
        raise FileFormatError(
            "not-json", "the file is empty.", place=name, remedy="write it again with DIALS."
        )
    refuse_other_file(head, name)
