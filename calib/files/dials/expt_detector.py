"""Detectors as DIALS experiment lists write them: panels in a tree of groups.

Fast axis, slow axis and origin of a panel or group are local to its parent group. The *root
frame* is that of the innermost group which holds all panels: a refinement moves it, and the
panels' places in it are what a calibration is about.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from calib.files.dials.json_text import JsonText, Member
from calib.files.dials.json_value import Node
from calib.model.base.arrays import Floats
from calib.model.base.bounds import (
    ABSORPTION_PER_MM,
    DIRECTION,
    EXTENT_MM,
    LENGTH_MM,
    N_PANELS,
    PANEL_SIZE_PX,
    PIXEL_MM,
    Bounds,
)
from calib.model.base.text import LONGEST_TEXT
from calib.model.detector.frames import RigidMotion, orthonormal
from calib.model.detector.layout import PanelFrames, PanelGroup, PanelShape
from calib.model.experiment.experiment import Detector, Sensors

AXES = ("fast_axis", "slow_axis", "origin")
_PERPENDICULAR = 1e-4
_SMALLEST = 1e-100
"""For the product of the lengths of two axes; below it their directions are undefined."""
_ROUNDING = 1e-12
_ROUNDING_MM = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """The groups above the panels."""

    lab_from_root: RigidMotion | None
    """None where the root frame is the laboratory's."""
    root_from_group: tuple[RigidMotion | None, ...]
    """Of each panel's parent group; None where that is the root frame itself."""
    groups: tuple[PanelGroup, ...] = ()
    """The groups below the root that hold several panels, outer ones first."""

    def from_local(self, local: PanelFrames) -> PanelFrames:
        """Panel frames in the root frame from those in their groups."""
        return self._moved(local, inverse=False)

    def to_local(self, root: PanelFrames) -> PanelFrames:
        """Panel frames in their groups from those in the root frame."""
        return self._moved(root, inverse=True)

    def _moved(self, frames: PanelFrames, *, inverse: bool) -> PanelFrames:
        rotation, origin = np.array(frames.rotation), np.array(frames.origin_mm)
        for index, group in enumerate(self.root_from_group):
            if group is not None:
                motion = group.inverse() if inverse else group
                rotation[index] = motion.rotation @ rotation[index]
                origin[index] = motion.points(origin[index])
        return PanelFrames(rotation, origin)


def read_detector(node: Node) -> tuple[Detector, Tree]:
    """A detector and its tree; in old files it has no tree, or is a mere list of panels."""
    panels = node.elements() if isinstance(node.value, list) else node.at("panels").elements()
    if not panels:
        raise node.bad(expected="a detector with panels")
    if len(panels) not in N_PANELS:
        raise node.bad(expected=N_PANELS.expected)
    hierarchy = None if isinstance(node.value, list) else node.find("hierarchy")
    tree = Tree(None, (None,) * len(panels)) if hierarchy is None else _tree(hierarchy, len(panels))
    local = _frames(panels)
    root = tree.from_local(local)
    lab = root if tree.lab_from_root is None else root.moved(tree.lab_from_root)
    if not (LENGTH_MM.all_in(root.origin_mm) and LENGTH_MM.all_in(lab.origin_mm)):
        raise node.bad(expected=f"origins of panels, each {LENGTH_MM.expected}")
    identifiers = (
        found.name(LONGEST_TEXT) for panel in panels if (found := panel.find("identifier"))
    )
    detector = Detector(
        panels=tuple(_shape(panel) for panel in panels),
        frames=lab,
        lab_from_root=tree.lab_from_root,
        sensors=_sensors(panels),
        identifier=next((text for text in identifiers if text), ""),
        groups=tree.groups,
    )
    return detector, tree


def panel_edits(
    document: JsonText, start: int, old: PanelFrames, new: PanelFrames
) -> Iterator[tuple[int, int, str]]:
    """Start, end and new text of each number to replace in the detector that begins at ``start``.

    ``old`` and ``new`` are local frames. A panel that stands where it did, but for the rounding
    of arithmetic on frames, keeps its text, and so does a number whose value does not change.
    """
    panels_start = start
    if document.text[start] == "{":
        panels_start = {m.key: m for m in document.members(start)}["panels"].start
    for panel in document.members(panels_start):
        index = int(panel.key)
        if _stands_still(old, new, index):
            continue
        values = dict(zip(AXES, (*new.rotation[index].T[:2], new.origin_mm[index]), strict=True))
        for name, member in {m.key: m for m in document.members(panel.start)}.items():
            if name in AXES:
                yield from _number_edits(document, member, values[str(name)])


def _stands_still(old: PanelFrames, new: PanelFrames, index: int) -> bool:
    turn = np.abs(old.rotation[index] - new.rotation[index]).max()
    shift_mm = np.abs(old.origin_mm[index] - new.origin_mm[index]).max()
    return bool(turn <= _ROUNDING and shift_mm <= _ROUNDING_MM)


def _number_edits(
    document: JsonText, array: Member, values: Floats
) -> Iterator[tuple[int, int, str]]:
    for member, value in zip(document.members(array.start), values.tolist(), strict=True):
        if float(member.value) != value:
            yield member.start, member.end, repr(value)


def local_frames(node: Node) -> PanelFrames:
    """The frames of a detector's panels in their groups."""
    return _frames(
        node.elements() if isinstance(node.value, list) else node.at("panels").elements()
    )


def _frames(panels: list[Node]) -> PanelFrames:
    axes = np.array([_axes(panel) for panel in panels])
    return PanelFrames.from_axes(axes[:, 0], axes[:, 1], axes[:, 2])


def _axes(node: Node) -> list[list[float]]:
    """Fast axis, slow axis and origin in mm of a panel or a group."""
    fast, slow, origin = (node.at(name) for name in AXES)
    both = fast.numbers(3), slow.numbers(3)
    lengths = math.hypot(*both[0]) * math.hypot(*both[1])
    if (
        not _SMALLEST < lengths < 1.0 / _SMALLEST
        or abs(math.fsum(a * b for a, b in zip(*both, strict=True))) > _PERPENDICULAR * lengths
    ):
        raise slow.bad(expected="an axis perpendicular to fast_axis")
    return [
        fast.numbers_within(3, DIRECTION),
        slow.numbers_within(3, DIRECTION),
        origin.numbers_within(3, LENGTH_MM),
    ]


def _motion(group: Node) -> RigidMotion:
    fast, slow, origin = (np.array(values) for values in _axes(group))
    return RigidMotion(orthonormal(fast, slow), origin)


def _tree(hierarchy: Node, n_panels: int) -> Tree:
    root = hierarchy
    lab_from_root = _motion(root)
    while len(children := root.at("children").elements()) == 1 and not children[0].find("panel"):
        root = children[0]
        lab_from_root = lab_from_root @ _motion(root)
    group_of: dict[int, RigidMotion | None] = {}
    above: dict[int, tuple[str, ...]] = {}
    names: dict[str, str] = {}
    waiting: list[tuple[Node, RigidMotion | None, tuple[str, ...]]] = [(root, None, ())]
    while waiting:
        group, root_from_group, path = waiting.pop()
        for child in group.at("children").elements():
            index = child.find("panel")
            if index is None:
                motion = _motion(child)
                motion = root_from_group @ motion if root_from_group else motion
                name = child.find("name")
                names[child.path] = name.name() if name else ""
                waiting.append((child, motion, (*path, child.path)))
            elif not 0 <= index.integer() < n_panels:
                raise index.bad(expected=f"the index of one of {n_panels} panels")
            elif index.integer() in group_of:
                raise index.bad(expected="a panel that no other group holds")
            else:
                group_of[index.integer()] = root_from_group
                above[index.integer()] = path
    missing = set(range(n_panels)) - set(group_of)
    if missing:
        raise hierarchy.at("children").bad(expected=f"groups that hold panel {min(missing)} too")
    is_lab = np.array_equal(lab_from_root.rotation, np.eye(3)) and not np.any(
        lab_from_root.translation_mm
    )
    return Tree(
        None if is_lab else lab_from_root,
        tuple(group_of[index] for index in range(n_panels)),
        _groups(above, names),
    )


def _groups(
    above: Mapping[int, tuple[str, ...]], names: Mapping[str, str]
) -> tuple[PanelGroup, ...]:
    """The groups with several panels from the paths of those that lie above each panel."""
    members: dict[tuple[str, ...], list[int]] = {}
    for panel in sorted(above):
        for depth in range(1, len(above[panel]) + 1):
            members.setdefault(above[panel][:depth], []).append(panel)
    level: dict[tuple[str, ...], int] = {(): 0}
    groups = []
    for path in sorted(members, key=len):
        alone = len(members[path]) < 2 or members[path] == members.get(path[:-1])
        level[path] = level[path[:-1]] + (not alone)
        if not alone:
            groups.append(PanelGroup(names[path[-1]], level[path], tuple(members[path])))
    return tuple(sorted(groups, key=lambda group: (group.level, group.panels)))


def _shape(panel: Node) -> PanelShape:
    size = panel.at("image_size").integers(2)
    if min(size) < 1:
        raise panel.at("image_size").bad(expected="two sizes above 0")
    size = panel.at("image_size").integers_within(2, PANEL_SIZE_PX)
    pixel = panel.at("pixel_size").numbers(2)
    if min(pixel) <= 0.0:
        raise panel.at("pixel_size").bad(expected="two sizes above 0 mm")
    pixel = panel.at("pixel_size").numbers_within(2, PIXEL_MM)
    if max(n * mm for n, mm in zip(size, pixel, strict=True)) not in EXTENT_MM:
        raise panel.at("pixel_size").bad(expected=f"a panel of {EXTENT_MM.expected}")
    name = panel.find("name")
    return PanelShape(name.name() if name else "", (size[0], size[1]), (pixel[0], pixel[1]))


def _sensors(panels: list[Node]) -> Sensors:
    rows = [_sensor(panel) for panel in panels]
    parallax, mu, thickness = zip(*rows, strict=True)
    return Sensors(np.array(parallax), np.array(mu), np.array(thickness))


def _sensor(panel: Node) -> tuple[bool, float, float]:
    """Whether to correct parallax, mu and thickness; old files have both in the strategy."""
    strategy = panel.find("px_mm_strategy")
    name = strategy.at("type").text() if strategy else "SimplePxMmStrategy"
    source, keys = panel, ("mu", "thickness")
    if strategy and strategy.find("mu") and strategy.find("t0"):
        source, keys = strategy, ("mu", "t0")
    mu = _known(source.find(keys[0]), ABSORPTION_PER_MM)
    return "Parallax" in name, mu, _known(source.find(keys[1]), EXTENT_MM)


def _known(node: Node | None, bounds: Bounds) -> float:
    """A number within its bounds; 0 where it is unknown, which files write as 0, below 0 or not
    at all."""
    if node is None or node.number() <= 0.0:
        return 0.0
    return node.number_within(bounds)
