"""Writers: calibrated detectors and datasets as the files of other programs.

A new export is one file that offers an ``Export``, and its entries in ``ExportFormat`` and
``EXPORTS``. Its modules are loaded when it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from calib.files.exchange.source import ExportSource
    from calib.files.kinds import FileKind
    from calib.model.experiment.dataset import Dataset


class ExportFormat(StrEnum):
    """Formats in which a calibrated detector can be written."""

    DIALS = "dials"

    @property
    def program(self) -> str:
        """The program or standard, as messages name it."""
        return PROGRAMS[self]


PROGRAMS = {ExportFormat.DIALS: "DIALS"}
"""The program or standard of each format."""


class SummaryFormat(StrEnum):
    """Formats of files of summaries."""

    NPZ = "npz"
    """Arrays in a zip archive: the format in which summaries are recorded."""
    HDF5 = "hdf5"
    """The format in which earlier versions recorded them."""


class Export(Protocol):
    """What writes a calibrated detector for another program."""

    @property
    def kind(self) -> FileKind:
        """The kind of the file, which it may replace."""

    @property
    def needs_like(self) -> str:
        """Why the format needs an experiment list, as a clause; empty where it does not."""

    def hint(self, source: ExportSource, output: Path) -> str:
        """How to use the file ``output``, in one sentence."""

    def to_bytes(self, source: ExportSource) -> bytes:
        """The content of the file."""


class Entry(NamedTuple):
    """What writes a format, and how it is called."""

    description: str
    """What is written, for the help of commands."""
    export: Callable[[], Export]


def _dials() -> Export:
    from calib.files.exchange.dials import DialsGeometry

    return DialsGeometry()


EXPORTS = {ExportFormat.DIALS: Entry("a reference geometry for dials.import", _dials)}
"""The writer of each format."""


def write_dataset(dataset: Dataset, folder: Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write a dataset as a file of experiments and one of reflections, which ``reader`` reads
    again; their paths.

    Raises what ``atomic.Outputs`` raises.
    """
    from calib.files.dials.dataset_write import write_dataset as write_dials

    return write_dials(dataset, folder, force=force)
