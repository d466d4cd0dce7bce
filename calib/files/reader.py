"""Readers: which format a file has, and its experiments and reflections whatever the format.

A new format is one file that offers a ``Format``, and its line in ``FORMATS``. Its modules are
loaded when a file of it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from calib.errors import MissingFileError
from calib.files.atomic import open_input
from calib.files.refusals import TOGETHER, disagreement, refuse_one_panel
from calib.files.serial import serial_from
from calib.model.detector.moved_counts import MovedCounts

if TYPE_CHECKING:
    from calib.model.base.arrays import Floats, Ints
    from calib.model.detector.layout import PanelFrames
    from calib.model.detector.module_map import ModuleMap
    from calib.model.experiment.dataset import Dataset
    from calib.model.experiment.experiment import ExperimentList
    from calib.model.experiment.pose import DetectorPose
    from calib.model.experiment.reflections import Positions

__all__ = [
    "FORMATS",
    "TOGETHER",
    "DataFiles",
    "ExperimentFile",
    "Format",
    "disagreement",
    "input_suffixes",
    "read_data",
    "read_experiments",
    "refuse_one_panel",
    "serial_from",
]

_HEAD = 512
"""Bytes at the beginning of a file by which its format is recognised."""


class ExperimentFile(Protocol):
    """A file of experiments: its bytes and what they mean."""

    @property
    def stem(self) -> str:
        """The file name without its ending."""

    @property
    def data(self) -> bytes:
        """The bytes of the file."""

    @property
    def sha256(self) -> str:
        """The hash of the bytes, in hexadecimal."""

    @property
    def experiments(self) -> ExperimentList:
        """The models in the file."""

    def root_frames(self, detector: int) -> PanelFrames:
        """The panels of a detector relative to its ``lab_from_root``, or else to the laboratory,
        as exact as the file gives them."""

    def split(self, modules: Mapping[int, ModuleMap]) -> ExperimentFile:
        """The same file with the only panel of some detectors cut into modules, by index of the
        detector. Raises ``InputError`` where the file cannot state this."""

    def merged(self, modules: Mapping[int, tuple[ModuleMap, DetectorPose]]) -> ExperimentFile:
        """The same file with the modules of some detectors as one panel, by index of the detector.
        Raises ``LayoutError`` where they differ in more than their place."""

    def lookup_files(self, detectors: Collection[int]) -> tuple[str, ...]:
        """Files with one array for each panel (masks, gains) that belong to these detectors;
        ``split`` and ``merged`` remove them."""

    def image_files(self, detectors: Collection[int]) -> tuple[str, ...]:
        """The names or templates of the images of these detectors."""

    def first_images(self, detector: int) -> tuple[str, ...]:
        """The name of the first image of each imageset of a detector."""

    def with_frames(self, frames: Mapping[int, PanelFrames]) -> ExperimentFile:
        """The same file with other panel frames, by index of the detector, relative to what
        ``root_frames`` says; everything else stays as it is."""


class DataFiles(Protocol):
    """A file of experiments with the file of its reflections, where one is given."""

    @property
    def file(self) -> ExperimentFile:
        """The experiments."""

    @property
    def experiment_path(self) -> Path:
        """Where the experiments are."""

    @property
    def reflection_path(self) -> Path | None:
        """Where the reflections are."""

    @property
    def n_reflections(self) -> int:
        """How many reflections the file holds, usable or not; 0 without one."""

    def loader(self) -> Callable[[], list[Dataset]]:
        """A function that reads the datasets, one of each detector; it can be sent to another
        process. A dataset whose reflections lie nowhere near its experiments is ``apart``."""

    def as_modules(self, modules: Mapping[int, ModuleMap]) -> DataFiles:
        """The same files whose ``loader`` reads the only panel of some detectors as modules, by
        index of the detector."""

    def positions(self) -> Positions:
        """The observed positions of all reflections; only where a file of them is given."""

    def with_positions(self, centroid_mm: Floats) -> Callable[[BinaryIO], None]:
        """A writer (for ``atomic.write_safely``) of the file of reflections with other
        positions in mm, (n, 3); everything else stays as it is."""

    @property
    def has_ideal_positions(self) -> bool:
        """Whether observed positions are those of ``with_ideal_positions``."""

    def with_ideal_positions(
        self, centroid_px: Floats | None, centroid_mm: Floats
    ) -> Callable[[BinaryIO], None]:
        """A writer of the file of reflections with other observed positions, (n, 3) in px (where
        the file has them) and in mm; the originals are kept in columns of their own."""

    def with_original_positions(self) -> Callable[[BinaryIO], None]:
        """A writer that undoes ``with_ideal_positions``."""

    def split(
        self, modules: Mapping[int, ModuleMap], detector_of: Ints, *, with_shoeboxes: bool
    ) -> MovedReflections:
        """The reflections on the only panel of some detectors, moved to modules; ``detector_of``
        (n,) is the index of each reflection's detector."""

    def merged(
        self, modules: Mapping[int, tuple[ModuleMap, DetectorPose]], detector_of: Ints
    ) -> MovedReflections:
        """The reflections on the modules of some detectors, moved to one panel."""


class MovedReflections(MovedCounts, Protocol):
    """A file of reflections that were moved to other panels."""

    def write(self, target: BinaryIO) -> None:
        """Write the file (for ``atomic.write_safely``)."""


class Format(Protocol):
    """The files of one program or standard."""

    @property
    def suffixes(self) -> frozenset[str]:
        """The endings of its files' names, by which a folder is searched."""

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins with these bytes has this format."""

    def read_experiments(self, path: Path) -> ExperimentFile:
        """The experiments in a file. Raises ``MissingFileError`` and ``FileFormatError``."""

    def read_data(self, paths: Sequence[Path], *, need_reflections: bool) -> Sequence[DataFiles]:
        """Experiments with their reflections, in the order of the files of experiments.

        Raises ``InputError`` where they cannot be matched, and what ``read_experiments`` raises.
        """


def _dials() -> Format:
    from calib.files.dials.format import DialsFormat

    return DialsFormat()


FORMATS: tuple[Callable[[], Format], ...] = (_dials,)
"""In the order in which they are asked; a file that none recognises is left to the first, whose
error says what is wrong with it."""


def read_experiments(path: Path) -> ExperimentFile:
    """The experiments in a file of any known format.

    Raises ``MissingFileError`` and ``FileFormatError``.
    """
    return _format_of(path, [known() for known in FORMATS]).read_experiments(path)


def read_data(paths: Sequence[Path], *, need_reflections: bool = True) -> list[DataFiles]:
    """Experiments with their reflections, in files given in any order.

    Files are recognised by their content. With ``need_reflections`` false, experiments may stand
    alone. Raises ``MissingFileError``, ``FileFormatError``, and ``InputError`` where files
    cannot be matched or are ambiguous.
    """
    formats = [known() for known in FORMATS]
    of_format: dict[int, list[Path]] = {}
    for path in paths:
        of_format.setdefault(formats.index(_format_of(path, formats)), []).append(path)
    return [
        data
        for number, own in (of_format or {0: []}).items()
        for data in formats[number].read_data(own, need_reflections=need_reflections)
    ]


def input_suffixes() -> frozenset[str]:
    """The endings of the names of all files that can be read."""
    return frozenset[str]().union(*(known().suffixes for known in FORMATS))


def _format_of(path: Path, formats: Sequence[Format]) -> Format:
    try:
        with open_input(path) as file:
            head = file.read(_HEAD)
    except (MissingFileError, OSError):
        return formats[0]  # its reader meets the same error, and says it
    return _first(known for known in formats if known.recognises(head)) or formats[0]


def _first(found: Iterable[Format]) -> Format | None:
    return next(iter(found), None)
