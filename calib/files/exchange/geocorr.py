"""Tables of XDS with the displacement of every pixel, X-GEO_CORR and Y-GEO_CORR.

Each is a CBF of the size of the image, in 1/100 px. Programs disagree about the sign: with
``plus``, as for XDS, the ideal position is raw + table / 100; with ``minus``, as for pyFAI, it is
raw - table / 100. The files state theirs. Only shifts within the image can be written: panels out
of the plane are projected along the ray from the sample, so a table belongs to one distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np

from calib.errors import LayoutError
from calib.files.exchange.source import ExportSource
from calib.files.exchange.table_sign import TableSign
from calib.files.kinds import CBF
from calib.model.base.arrays import Floats

_PER_PX = 100.0
_FLAT_MM = 1e-6


class GeoCorrections:
    """Two tables, ``NAME_x.cbf`` and ``NAME_y.cbf`` for the output ``NAME.cbf``."""

    kind = CBF
    needs_like = ""

    def hint(self, source: ExportSource, output: Path) -> str:
        """How to use the files."""
        x, y = (path.name for path in _paths(output))
        if source.sign is TableSign.MINUS:
            return f"In these tables the ideal position is raw - table / 100: {x}, {y}."
        return f"Put X-GEO_CORR={x} and Y-GEO_CORR={y} into XDS.INP, and use JOB=XYCORR."

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """The content of both files."""
        tables = displacements_px(source)
        sign = 1.0 if source.sign is TableSign.PLUS else -1.0
        return [
            (path, _cbf(np.rint(sign * _PER_PX * tables[..., axis]), "XY"[axis], source))
            for axis, path in enumerate(_paths(output))
        ]


def displacements_px(source: ExportSource) -> Floats:
    """(slow, fast, 2) ideal minus raw position of the centre of each pixel, fast first, in px; 0
    in gaps.

    Raises ``LayoutError`` where the nominal panels are not in one plane.
    """
    detector, offsets = source.calibrated.detector, source.offsets_px()
    flat = source.flat_frame()
    nominal = source.nominal.moved(flat.inverse())
    pixel = np.array(detector.panels[0].pixel_mm)
    ideal = np.concatenate([offsets * pixel, np.zeros((len(offsets), 1))], axis=1)
    if (
        np.abs(nominal.origin_mm - ideal).max() > _FLAT_MM
        or np.abs(nominal.rotation - np.eye(3)).max() > _FLAT_MM
    ):
        raise LayoutError(
            "not-flat",
            "the nominal panels are not parts of one flat image, so tables of displacements "
            "cannot describe them.",
            remedy="use --format xds, whose segments may have any orientation.",
        )
    local = detector.frames.moved(flat.inverse())
    sample = flat.rotation.T @ -flat.translation_mm
    sizes = np.array([panel.size_px for panel in detector.panels])
    width, height = (offsets + sizes).max(axis=0).tolist()
    out = np.zeros((height, width, 2))
    for k, (offset, (columns, rows)) in enumerate(zip(offsets, sizes.tolist(), strict=True)):
        fast, slow = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
        centre = np.stack([fast, slow], axis=-1)
        points = (centre * pixel) @ local.rotation[k][:, :2].T + local.origin_mm[k]
        ray = points - sample
        met = sample + ray * (-sample[2] / ray[..., 2:])
        x, y = offset.tolist()
        out[y : y + rows, x : x + columns] = met[..., :2] / pixel - (centre + offset)
    return out


def _paths(output: Path) -> tuple[Path, Path]:
    suffix = output.suffix or ".cbf"
    return (
        output.with_name(f"{output.stem}_x{suffix}"),
        output.with_name(f"{output.stem}_y{suffix}"),
    )


def _cbf(table: Floats, axis: str, source: ExportSource) -> bytes:
    """A CBF with byte offsets; fabio writes only to files that have a name."""
    from fabio.cbfimage import CbfImage

    relation = "+" if source.sign is TableSign.PLUS else "-"
    header = {
        "_array_data.header_convention": "calib",
        "_array_data.header_contents": (
            f"# {axis}-GEO_CORR of {source.name}\r\n"
            f"# sign {source.sign.value}: ideal = raw {relation} table / 100\r\n"
        ),
    }
    with TemporaryDirectory(prefix="calib-") as folder:
        path = Path(folder) / "table.cbf"
        CbfImage(data=table.astype(np.int32), header=header).write(str(path))
        return path.read_bytes()
