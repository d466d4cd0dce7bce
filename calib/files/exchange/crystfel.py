"""A calibrated detector as a geometry file of CrystFEL.

CrystFEL's laboratory has z along the beam and y upwards; a panel begins at the very corner of its
first pixel. The syntax is that of CrystFEL 0.11; the plain one is what older readers and
cfelpyutils know: bare numbers, and no groups.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from calib.files.exchange.source import ExportSource
from calib.files.kinds import CRYSTFEL
from calib.model.base.arrays import Floats
from calib.model.detector.layout import PanelGroup

_EV_ANGSTROM = 12398.419843320026
"""The energy in eV of a photon of one Angstrom (CODATA 2018, exact)."""
_MCSTAS = np.diag([-1.0, 1.0, -1.0])
"""From the frame of DIALS (z towards the source) to that of CrystFEL (z along the beam)."""
_RESERVED = ("bad", "group", "rigid_group", "mask", "dim")
"""Names of panels must not begin with these."""


class CrystfelGeometry:
    """A ``.geom`` file."""

    kind = CRYSTFEL
    needs_like = ""

    def __init__(self, *, plain: bool = False) -> None:
        self._plain = plain

    def hint(self, source: ExportSource, output: Path) -> str:
        """How to use the file."""
        text = (
            f"Use it with indexamajig -g {shlex.quote(str(output))}; add the lines that say where "
            "data are in files"
        )
        return f"{text}." if source.like else f"{text}, and photon_energy, which is unknown here."

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """The content of the file."""
        return [(output, ("\n".join(self._lines(source)) + "\n").encode())]

    def _lines(self, source: ExportSource) -> Iterator[str]:
        detector, beam = source.calibrated.detector, source.calibrated.beam
        offsets = source.offsets_px()
        turn = crystfel_from_lab(beam.direction)
        origin_m = 1e-3 * detector.frames.origin_mm @ turn.T
        clen_m = round(float(np.median(origin_m[:, 2])), 6)
        names = panel_names([panel.name for panel in detector.panels])
        unit = ("", "") if self._plain else (" m", " eV")
        yield f"; Geometry of {source.name}, written by calib"
        if source.like is not None:
            energy = _EV_ANGSTROM / beam.wavelength_angstrom
            yield f"photon_energy = {energy:.4f}{unit[1]}"
            yield f"adu_per_photon = {_gain(source):g}"
        yield f"clen = {clen_m:.6f}{unit[0]}"
        for k, (name, panel) in enumerate(zip(names, detector.panels, strict=True)):
            size_m = 1e-3 * np.array(panel.pixel_mm)
            fast, slow = (
                turn @ detector.frames.rotation[k][:, axis] * size_m[axis] / size_m[0]
                for axis in (0, 1)
            )
            corner = origin_m[k] / size_m[0]
            (x, y), (width, height) = offsets[k], panel.size_px
            yield ""
            yield f"{name}/min_fs = {x}"
            yield f"{name}/max_fs = {x + width - 1}"
            yield f"{name}/min_ss = {y}"
            yield f"{name}/max_ss = {y + height - 1}"
            yield f"{name}/res = {1.0 / size_m[0]:.9g}"
            yield f"{name}/fs = {_vector(fast)}"
            yield f"{name}/ss = {_vector(slow)}"
            yield f"{name}/corner_x = {corner[0]:.6f}"
            yield f"{name}/corner_y = {corner[1]:.6f}"
            yield f"{name}/coffset = {origin_m[k][2] - clen_m:.9f}"
        if not self._plain:
            yield ""
            yield from group_lines(names, detector.groups)


def crystfel_from_lab(direction: Floats) -> Floats:
    """(3, 3) rotation from the laboratory of DIALS to CrystFEL's, in which the beam is along z.

    ``direction`` is the unit vector from the sample to the source.
    """
    source = direction / np.linalg.norm(direction)
    z = np.array([0.0, 0.0, 1.0])
    axis, cosine = np.cross(source, z), float(source @ z)
    if cosine < -1.0 + 1e-9:
        return np.asarray(_MCSTAS @ np.diag([1.0, -1.0, -1.0]))
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.asarray(_MCSTAS @ (np.eye(3) + skew + skew @ skew / (1.0 + cosine)))


def panel_names(names: Sequence[str]) -> list[str]:
    """Names for panels that CrystFEL accepts, each once."""
    out: list[str] = []
    for number, name in enumerate(names):
        clean = re.sub(r"[^0-9A-Za-z_-]", "_", name) or f"p{number}"
        if clean.lower().startswith(_RESERVED):
            clean = f"p_{clean}"
        out.append(clean)
    unique = len(set(out)) == len(out)
    return out if unique else [f"p{number}" for number in range(len(names))]


def group_lines(names: Sequence[str], groups: Sequence[PanelGroup]) -> Iterator[str]:
    """The groups of panels, inner ones first, and ``all`` at the top."""
    top = tuple(range(len(names)))
    known: list[tuple[str, frozenset[int]]] = []
    ordered = sorted(groups, key=lambda group: -group.level)
    for number, group in enumerate([*ordered, PanelGroup("all", 0, top)]):
        own = set(group.panels)
        members = []
        for label, panels in reversed(known):  # the outermost ones below it
            if panels <= own:
                members.append(label)
                own -= panels
        members += [names[k] for k in sorted(own)]
        label = "all" if group.level == 0 else f"g{number}"
        known.append((label, frozenset(group.panels)))
        yield f"group_{label} = {','.join(members)}"


def _vector(values: Floats) -> str:
    return " ".join(f"{value + 0.0:+.10f}{axis}" for value, axis in zip(values, "xyz", strict=True))


def _gain(source: ExportSource) -> float:
    content = source.content()
    detector = content["detector"][content["experiment"][0]["detector"]]
    panels = detector if isinstance(detector, list) else detector["panels"]
    return float(panels[0].get("gain") or 1.0)
