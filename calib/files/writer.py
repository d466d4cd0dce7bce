"""Writers: calibrated detectors and datasets as the files of other programs.

A new export is one file that offers an ``Export``, and its entries in ``ExportFormat`` and
``EXPORTS``. Its modules are loaded when it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

if TYPE_CHECKING:
    from calib.files.exchange.source import ExportSource
    from calib.files.kinds import FileKind
    from calib.model.detector.correction import Correction
    from calib.model.experiment.dataset import Dataset
    from calib.model.store.record import Certification, DetectorRecord


class ExportFormat(StrEnum):
    """Formats in which a calibrated detector can be written."""

    DIALS = "dials"
    XDS = "xds"
    GEOCORR = "geocorr"
    CRYSTFEL = "crystfel"
    CRYSTFEL_PLAIN = "crystfel-plain"
    PYFAI = "pyfai"

    @property
    def program(self) -> str:
        """The program or standard, as messages name it."""
        return PROGRAMS[self]


PROGRAMS = {
    ExportFormat.DIALS: "DIALS",
    ExportFormat.XDS: "XDS",
    ExportFormat.GEOCORR: "XDS",
    ExportFormat.CRYSTFEL: "CrystFEL",
    ExportFormat.CRYSTFEL_PLAIN: "CrystFEL",
    ExportFormat.PYFAI: "pyFAI",
}
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

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """The files to write, one or several, with the content of each or what writes it."""


class Entry(NamedTuple):
    """What writes a format, and how it is called."""

    description: str
    """What is written, for the help of commands."""
    export: Callable[[], Export]


def _dials() -> Export:
    from calib.files.exchange.dials import DialsGeometry

    return DialsGeometry()


def _xds() -> Export:
    from calib.files.exchange.xds import XdsSegments

    return XdsSegments()


def _geocorr() -> Export:
    from calib.files.exchange.geocorr import GeoCorrections

    return GeoCorrections()


def _crystfel() -> Export:
    from calib.files.exchange.crystfel import CrystfelGeometry

    return CrystfelGeometry()


def _crystfel_plain() -> Export:
    from calib.files.exchange.crystfel import CrystfelGeometry

    return CrystfelGeometry(plain=True)


def _pyfai() -> Export:
    from calib.files.exchange.pyfai import PyfaiDetector

    return PyfaiDetector()


EXPORTS = {
    ExportFormat.DIALS: Entry("a reference geometry for dials.import", _dials),
    ExportFormat.XDS: Entry("SEGMENT blocks for XDS.INP", _xds),
    ExportFormat.GEOCORR: Entry("X-GEO_CORR and Y-GEO_CORR tables of XDS", _geocorr),
    ExportFormat.CRYSTFEL: Entry("a geometry file of CrystFEL 0.11", _crystfel),
    ExportFormat.CRYSTFEL_PLAIN: Entry(
        "the same with bare numbers and no groups, for older readers", _crystfel_plain
    ),
    ExportFormat.PYFAI: Entry("the corners of all pixels as a NeXus detector", _pyfai),
}
"""The writer of each format."""


def geometry_bytes(
    record: DetectorRecord,
    certified: Sequence[tuple[Certification, Correction]],
    *,
    position: int,
) -> bytes:
    """The certified geometry of a detector as one file: ``exchange.geometry_file``."""
    from calib.files.exchange.geometry_file import geometry_bytes as made

    return made(record, certified, position=position)


def write_dataset(dataset: Dataset, folder: Path, *, force: bool = False) -> tuple[Path, Path]:
    """Write a dataset as a file of experiments and one of reflections, which ``reader`` reads
    again; their paths.

    Raises what ``atomic.Outputs`` raises.
    """
    from calib.files.dials.dataset_write import write_dataset as write_dials

    return write_dials(dataset, folder, force=force)
