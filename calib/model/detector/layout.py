"""The nominal layout of a detector: shapes and frames of its panels in its root frame."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from calib.errors import LayoutError
from calib.model.base.arrays import Floats, frozen_floats
from calib.model.base.canonical import content_id
from calib.model.detector.frames import RigidMotion, orthonormal


@dataclass(frozen=True, slots=True)
class PanelShape:
    """The name, size and pixel size of a panel, whatever its position."""

    name: str
    """The panel's name in its detector model, such as ``row-01-col-02``."""
    size_px: tuple[int, int]
    """(fast, slow) in px."""
    pixel_mm: tuple[float, float]
    """(fast, slow) in mm."""

    @property
    def size_mm(self) -> tuple[float, float]:
        """(fast, slow) extent in mm."""
        return self.size_px[0] * self.pixel_mm[0], self.size_px[1] * self.pixel_mm[1]


@dataclass(frozen=True, slots=True)
class PanelGroup:
    """Panels that share a mount, such as a quadrant, a sensor or a row of modules."""

    name: str
    level: int
    """Depth in the hierarchy: 1 for groups directly below the root."""
    panels: tuple[int, ...]
    """Indices of the panels in it and in the groups below it, ascending."""


@dataclass(frozen=True, slots=True, eq=False)
class PanelFrames:
    """Frames of n panels in one outer frame (the detector's root, or the laboratory)."""

    rotation: Floats
    """(n, 3, 3); columns are each panel's fast, slow and normal axes in the outer frame."""
    origin_mm: Floats
    """(n, 3) mm; the outer corner of each panel's first pixel."""

    def __post_init__(self) -> None:
        n = len(self.origin_mm)
        object.__setattr__(self, "rotation", frozen_floats(self.rotation, (n, 3, 3), "rotation"))
        object.__setattr__(self, "origin_mm", frozen_floats(self.origin_mm, (n, 3), "origin_mm"))

    @staticmethod
    def from_axes(fast: Floats, slow: Floats, origin_mm: Floats) -> PanelFrames:
        """Frames from fast and slow axes (n, 3), made exactly perpendicular."""
        return PanelFrames(orthonormal(fast, slow), origin_mm)

    def __len__(self) -> int:
        return len(self.origin_mm)

    def moved(self, outer_from_inner: RigidMotion) -> PanelFrames:
        """The same panels in a further outer frame."""
        return PanelFrames(
            outer_from_inner.rotation @ self.rotation, outer_from_inner.points(self.origin_mm)
        )

    def taken(self, order: list[int]) -> PanelFrames:
        """The panels in another order."""
        return PanelFrames(self.rotation[order], self.origin_mm[order])

    def points(self, panel_mm: Floats) -> Floats:
        """Points (n, k, 2) in mm on each panel's plane, in the outer frame (n, k, 3)."""
        return np.asarray(
            panel_mm @ self.rotation[:, :, :2].transpose(0, 2, 1) + self.origin_mm[:, None, :]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The nominal panels of one detector."""

    panels: tuple[PanelShape, ...]
    """The panels, in the order in which reflections number them."""
    frames: PanelFrames
    """Nominal frames relative to the detector's root frame."""
    groups: tuple[PanelGroup, ...] = ()
    """Groups of panels between the root and the panels, outer groups first; not part of the
    identity, since readers of the same detector give different trees, or none."""
    size_mm: Floats = field(init=False, repr=False)
    """(n, 2) fast and slow extent of each panel in mm."""

    def __post_init__(self) -> None:
        size = np.array([panel.size_mm for panel in self.panels]).reshape(-1, 2)
        size.flags.writeable = False
        object.__setattr__(self, "size_mm", size)
        if len(self.panels) != len(self.frames):
            raise LayoutError(
                "bad-layout", f"{len(self.panels)} panel shapes but {len(self.frames)} frames."
            )

    def __len__(self) -> int:
        return len(self.panels)

    @property
    def centre_root_mm(self) -> Floats:
        """(n, 3) mm; the nominal centres of the panels in the root frame."""
        return self.frames.points(0.5 * self.size_mm[:, None, :])[:, 0]

    def corners_panel_mm(self) -> Floats:
        """(n, 4, 2) mm; the corners of each panel on its own plane."""
        unit = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
        return unit[None] * self.size_mm[:, None, :]

    def axes_of(self, group: PanelGroup) -> Floats:
        """(3, 3) a group's fast, slow and normal axes in the root frame, as columns: the mean
        normal of its panels, and the fast axis of its first panel made perpendicular to it."""
        rotation = self.frames.rotation[list(group.panels)]
        normal = rotation[:, :, 2].mean(axis=0)
        normal /= np.linalg.norm(normal)
        fast = rotation[0, :, 0] - normal * (normal @ rotation[0, :, 0])
        fast /= np.linalg.norm(fast)
        return np.stack([fast, np.cross(normal, fast), normal], axis=1)

    @property
    def normal_root(self) -> Floats:
        """(3,) the detector's normal: the mean of the panels' normals, as a unit vector."""
        mean = self.frames.rotation[:, :, 2].mean(axis=0)
        length = float(np.linalg.norm(mean))
        return mean / length if length > 0.1 else np.array([0.0, 0.0, 1.0])

    def distance_mm(self, lab_from_root: RigidMotion) -> float:
        """The distance from the sample to the detector's mean plane, along its normal, in mm."""
        normal_lab = lab_from_root.rotation @ self.normal_root
        centre_lab = lab_from_root.points(self.centre_root_mm.mean(axis=0))
        return abs(float(normal_lab @ centre_lab))

    def rounded(self) -> Layout:
        """The same layout with frames rounded to 1e-9 mm and 1e-12, far below any tolerance of
        assembly: two files of one detector then give the same layout."""
        rotation = np.round(self.frames.rotation, 12) + 0.0  # no negative zeros
        origin_mm = np.round(self.frames.origin_mm, 9) + 0.0
        return replace(self, frames=PanelFrames(rotation, origin_mm))

    def identity(self) -> dict[str, Any]:
        """The content that identifies this layout, for the canonical form; numbers are whole
        arrays, which are hashed ten times faster than single values."""
        return {
            "format": "calib/layout/1",
            "names": [panel.name for panel in self.panels],
            "size_px": [list(panel.size_px) for panel in self.panels],
            "pixel_mm": np.array([panel.pixel_mm for panel in self.panels], float).reshape(-1, 2),
            "rotation": self.frames.rotation,
            "origin_mm": self.frames.origin_mm,
        }

    @property
    def geometry_id(self) -> str:
        """A hash of sizes and positions that does not depend on where the layout came from.

        Panels are taken relative to the first one, to 1 nm and 1 nrad, and without their names, in
        which readers differ, as they do in the root frame and in the rounding of arithmetic.
        """
        first = self.frames.rotation[0]
        with np.errstate(over="ignore", invalid="ignore"):
            origin = (self.frames.origin_mm - self.frames.origin_mm[0]) @ first
            turned = first.T @ self.frames.rotation
        pixel = np.array([panel.pixel_mm for panel in self.panels]).reshape(-1, 2)
        return content_id(
            {
                "format": "calib/geometry/1",
                "size_px": [list(panel.size_px) for panel in self.panels],
                "pixel_nm": _whole(pixel, 1e6),
                "origin_nm": _whole(origin, 1e6),
                "rotation_nrad": _whole(turned, 1e9),
            }
        )

    def content(self) -> dict[str, Any]:
        """The layout as plain JSON values; ``from_content`` restores it exactly."""
        content: dict[str, Any] = {
            "format": "calib/layout/1",
            "panels": [
                {"name": p.name, "size_px": list(p.size_px), "pixel_mm": list(p.pixel_mm)}
                for p in self.panels
            ],
            "rotation": self.frames.rotation.tolist(),
            "origin_mm": self.frames.origin_mm.tolist(),
        }
        if self.groups:
            content["groups"] = [
                {"name": g.name, "level": g.level, "panels": list(g.panels)} for g in self.groups
            ]
        return content

    @staticmethod
    def from_content(content: dict[str, Any]) -> Layout:
        """The layout with this ``content``."""
        panels = tuple(
            PanelShape(
                p["name"],
                (p["size_px"][0], p["size_px"][1]),
                (p["pixel_mm"][0], p["pixel_mm"][1]),
            )
            for p in content["panels"]
        )
        groups = tuple(
            PanelGroup(g["name"], g["level"], tuple(g["panels"])) for g in content.get("groups", ())
        )
        return Layout(panels, PanelFrames(content["rotation"], content["origin_mm"]), groups)

    def difference(self, shapes: tuple[PanelShape, ...]) -> str:
        """How other panels differ in number, size or pixel size, as text; empty if they do not.

        Names are not compared: readers of the same detector give different ones.
        """
        if len(shapes) != len(self.panels):
            return f"{len(shapes)} panels, expected {len(self.panels)}"
        for index, (mine, other) in enumerate(zip(self.panels, shapes, strict=True)):
            if mine.size_px != other.size_px:
                return f"panel {index} has {other.size_px} pixels, expected {mine.size_px}"
            if not np.allclose(mine.pixel_mm, other.pixel_mm, rtol=1e-6, atol=0.0):
                return f"panel {index} has {other.pixel_mm} mm pixels, expected {mine.pixel_mm}"
        return ""


_LARGEST = 1e15
"""What whole numbers hold exactly; no detector comes near it."""


def _whole(values: Floats, unit: float) -> list[Any]:
    """The values in a smaller unit, as whole numbers."""
    with np.errstate(over="ignore"):
        scaled = np.nan_to_num(np.rint(values * unit))
    whole: list[Any] = np.clip(scaled, -_LARGEST, _LARGEST).astype(int).tolist()
    return whole
