"""The format of DIALS: experiment lists, and reflection tables that are matched to them.

What reads reflections is loaded when reflections are read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from calib.errors import FileFormatError
from calib.files.dials.expt import ExperimentFile
from calib.files.dials.refl_header import looks_like_table
from calib.model.base.arrays import Floats, Ints
from calib.model.base.bounds import LENGTH_MM, PX, Bounds
from calib.model.experiment.dataset import Dataset
from calib.model.experiment.reflections import Positions

if TYPE_CHECKING:
    from calib.files.dials.pairs import Pair
    from calib.files.dials.refl_header import TableIndex
    from calib.files.dials.refl_modules import MovedTable
    from calib.model.detector.module_map import ModuleMap
    from calib.model.experiment.pose import DetectorPose

_MM, _PX = "xyzobs.mm.value", "xyzobs.px.value"


class DialsFormat:
    """``.expt`` and ``.refl`` files."""

    suffixes = frozenset((".expt", ".refl"))

    def recognises(self, head: bytes) -> bool:
        """Whether a file that begins so is an experiment list or a reflection table."""
        is_list = head.lstrip().startswith(b"{") and b'"ExperimentList"' in head
        return is_list or looks_like_table(head)

    def read_experiments(self, path: Path) -> ExperimentFile:
        """The experiment list in a file."""
        return ExperimentFile.read(path)

    def read_data(self, paths: Sequence[Path], *, need_reflections: bool) -> list[DialsFiles]:
        """Experiment lists with their reflection tables, as ``pairs.pair_files`` says."""
        from calib.files.dials.pairs import pair_files

        pairs = pair_files(paths, need_reflections=need_reflections)
        return [DialsFiles(pair) for pair in pairs]


@dataclass(frozen=True, slots=True, eq=False)
class DialsFiles:
    """An experiment list with its reflection table, where one is given."""

    pair: Pair

    @property
    def file(self) -> ExperimentFile:
        """The experiment list."""
        return self.pair.file

    @property
    def experiment_path(self) -> Path:
        """Where the experiment list is."""
        return self.pair.experiment_path

    @property
    def reflection_path(self) -> Path | None:
        """Where the reflection table is."""
        return self.pair.reflection_path

    @property
    def n_reflections(self) -> int:
        """The rows of the table."""
        return 0 if self.pair.index is None else self.pair.index.nrows

    def loader(self) -> Callable[[], list[Dataset]]:
        """A function that reads the datasets, without the bytes of the experiment list."""
        from calib.files.dials.pairing import datasets_of

        return partial(datasets_of, self.pair.light())

    def as_modules(self, modules: Mapping[int, ModuleMap]) -> DialsFiles:
        """The same files, read as if the only panel of some detectors were cut into modules."""
        models = self.file.split(modules).experiments
        return DialsFiles(replace(self.pair, modules=dict(modules), models=models))

    def positions(self) -> Positions:
        """The positions in the table; raises ``FileFormatError`` where it has none in mm."""
        from calib.files.dials.refl import read_table
        from calib.files.dials.select import check_columns

        path, index = self._table()
        check_columns(index, str(path))
        table = read_table(path, ("id", "panel", "imageset_id", _MM, _PX))
        for column in ("panel", _MM):
            if column not in table:
                raise FileFormatError(
                    "missing-column",
                    f"there is no column {column!r}, expected one.",
                    place=str(path),
                    remedy="give the table without positions to dials.index first.",
                )
        indexed = "id" in table
        _refuse_beyond(table.array(_MM)[:, :2], LENGTH_MM, f"{path}, column {_MM}")
        if _PX in table:
            _refuse_beyond(table.array(_PX)[:, :2], PX, f"{path}, column {_PX}")
        return Positions(
            experiment=self.pair.experiment_of_rows(table) if indexed else np.full(table.nrows, -1),
            imageset=table.array("imageset_id") if "imageset_id" in table else None,
            panel=table.array("panel").astype(np.int64),
            centroid_mm=table.array(_MM),
            centroid_px=table.array(_PX) if _PX in table else None,
        )

    def with_positions(self, centroid_mm: Floats) -> Callable[[BinaryIO], None]:
        """A writer of the table with other positions in mm; other columns are copied."""
        from calib.files.dials.refl import rewritten_columns

        return rewritten_columns(self._table()[0], {_MM: centroid_mm})

    @property
    def has_ideal_positions(self) -> bool:
        """Whether the table's observed positions are not the original ones."""
        from calib.files.dials.ideal_positions import has_ideal_positions

        return self.pair.index is not None and has_ideal_positions(self.pair.index)

    def with_ideal_positions(
        self, centroid_px: Floats | None, centroid_mm: Floats
    ) -> Callable[[BinaryIO], None]:
        """A writer of the table with other observed positions, which keeps the originals."""
        from calib.files.dials.ideal_positions import ideal_writer

        return ideal_writer(*self._table(), centroid_px, centroid_mm)

    def with_original_positions(self) -> Callable[[BinaryIO], None]:
        """A writer of the table with its original positions."""
        from calib.files.dials.ideal_positions import original_writer

        return original_writer(*self._table())

    def split(
        self, modules: Mapping[int, ModuleMap], detector_of: Ints, *, with_shoeboxes: bool
    ) -> MovedTable:
        """The table with the reflections on the modules of one-panel detectors."""
        from calib.files.dials.refl_modules import split_table

        path, index = self._table()
        detectors = {k: self.file.experiments.detectors[k] for k in modules}
        return split_table(
            path, index, modules, detectors, detector_of, with_shoeboxes=with_shoeboxes
        )

    def merged(
        self, modules: Mapping[int, tuple[ModuleMap, DetectorPose]], detector_of: Ints
    ) -> MovedTable:
        """The table with the reflections of some detectors on one panel."""
        from calib.files.dials.refl_modules import merged_table

        path, index = self._table()
        first = {k: np.zeros((len(own), 2), dtype=np.int64) for k, (own, _) in modules.items()}
        for k, (own, pose) in modules.items():
            first[k][list(pose.order)] = own.boxes_px[:, :2]
        detectors = self.file.experiments.detectors
        pixel = {k: detectors[k].panels[0].pixel_mm for k in modules}
        return merged_table(path, index, first, pixel, detector_of)

    def _table(self) -> tuple[Path, TableIndex]:
        path, index = self.pair.reflection_path, self.pair.index
        assert path is not None  # noqa: S101 - asked only where there are reflections
        assert index is not None  # noqa: S101 - likewise
        return path, index


def _refuse_beyond(values: Floats, bounds: Bounds, place: str) -> None:
    """Raise ``FileFormatError`` for positions out of bounds; NaN, where nothing was observed, is
    kept."""
    if bounds.all_in(values):
        return
    beyond = ((values < bounds.minimum) | (values > bounds.maximum)).any(axis=1)
    if beyond.any():
        raise FileFormatError(
            "out-of-bounds",
            f"{int(beyond.sum())} reflections have positions out of range, the first of them in "
            f"row {int(np.argmax(beyond))} (counted from 0), expected {bounds.expected}.",
            place=place,
            remedy="take these reflections out, or process the images again with DIALS.",
        )
