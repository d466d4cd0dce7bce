"""Detectors of one panel and of its modules, as the JSON of experiment lists."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from calib.errors import LayoutError
from calib.files.dials.expt_detector import AXES
from calib.files.dials.json_text import JsonText, Member
from calib.model.detector.frames import RigidMotion
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.experiment import ExperimentList

LOOKUPS = ("mask", "gain", "pedestal")
"""Files of an imageset with one array for each panel."""
_SAME_KEYS = (
    *("type", "trusted_range", "thickness", "material", "mu", "gain", "pedestal"),
    "px_mm_strategy",
)
"""What the modules must agree in to become one panel."""
_GROUP: dict[str, Any] = {
    "name": "",
    "type": "",
    "fast_axis": [1.0, 0.0, 0.0],
    "slow_axis": [0.0, 1.0, 0.0],
    "origin": [0.0, 0.0, 0.0],
    "raw_image_offset": [0, 0],
    "image_size": [0, 0],
    "pixel_size": [0.0, 0.0],
    "trusted_range": [0.0, 0.0],
    "thickness": 0.0,
    "material": "",
    "mu": 0.0,
    "identifier": "",
    "mask": [],
    "gain": 1.0,
    "pedestal": 0.0,
    "px_mm_strategy": {"type": "SimplePxMmStrategy"},
}
"""A group without a frame of its own, as DIALS writes it."""
_NUMBER_SIGNS = re.compile("#+")
_PILATUS_PIXEL = 172e-6
_DECIMALS = 6
"""Of a beam centre in px in the header of an image."""

Frame = dict[str, list[float]]


def split_detector(value: Any, modules: ModuleMap, lab: RigidMotion) -> dict[str, Any]:
    """The JSON of a detector whose only panel is cut into modules.

    The panel's own frame becomes that of the root group; ``lab`` is used where the panel is inside
    a group that has a frame. The result is that of ``dials.import multi_panel=True``.
    """
    panel = _panels(value)[0]
    group = {} if isinstance(value, list) else value.get("hierarchy") or {}
    frame = {key: panel[key] for key in AXES}
    if not _is_identity(group):
        frame = _frame(lab)
    frame["origin"] = _origin_in_import(frame, panel["pixel_size"], one_panel=False)
    offset = panel.get("raw_image_offset") or [0, 0]
    panels = [
        _module(panel, name, box, offset)
        for name, box in zip(modules.names, modules.boxes_px.tolist(), strict=True)
    ]
    return _detector(value, panels, frame)


def merged_detector(
    value: Any,
    modules: ModuleMap,
    order: Sequence[int],
    root: RigidMotion,
    *,
    exact: bool,
) -> dict[str, Any]:
    """The JSON of a detector whose modules become one panel, with their gaps masked.

    ``order`` gives the index in the file of each module; with ``exact``, the root group of the file
    is the frame ``root``. Raises ``LayoutError`` where the panels differ in more than their place.
    """
    found = _panels(value)
    panels = [found[index] for index in order]
    for key in _SAME_KEYS:
        differing = [k for k, one in enumerate(panels) if one.get(key) != panels[0].get(key)]
        if differing:
            raise LayoutError(
                "panels-differ",
                f"panel {order[differing[0]]} differs from panel {order[0]} in {key}, so they "
                "cannot be one panel.",
                remedy="keep the detector as several panels.",
            )
    group = {} if isinstance(value, list) else value.get("hierarchy") or {}
    frame = {key: group[key] for key in AXES} if exact and _is_flat(group) else _frame(root)
    frame["origin"] = _origin_in_import(frame, panels[0]["pixel_size"], one_panel=True)
    mask = gap_rectangles(modules)
    for one, (fast, slow, _, _) in zip(panels, modules.boxes_px.tolist(), strict=True):
        mask += [[a + fast, b + slow, c + fast, d + slow] for a, b, c, d in one.get("mask") or []]
    panel = panels[0] | frame
    panel |= {"name": "Panel", "raw_image_offset": [0, 0], "image_size": list(modules.size_px)}
    panel |= {"mask": mask}
    return _detector(value, [panel], {key: _GROUP[key] for key in AXES})


def gap_rectangles(modules: ModuleMap) -> list[list[int]]:
    """The gaps of modules on a grid as masked rectangles, columns first; none for others."""
    boxes, (width, height) = modules.boxes_px, modules.size_px
    columns, rows = (np.unique(boxes[:, [k, k + 2]], axis=0) for k in (0, 1))
    if len(columns) * len(rows) != len(modules):
        return []
    across = [[a, 0, b, height] for a, b in _between(columns)]
    return across + [[0, a, width, b] for a, b in _between(rows)]


def imageset_edits(
    document: JsonText, imageset: Member, *, multi_panel: bool
) -> Iterator[tuple[int, int, str]]:
    """The edits that state how the images of an imageset are read.

    Files for each panel (``LOOKUPS``) no longer fit, so they are removed.
    """
    members = {str(member.key): member for member in document.members(imageset.start)}
    for key in LOOKUPS:
        if key in members and members[key].value:
            yield members[key].start, members[key].end, "null"
    found = members.get("params")
    old = found.value if found is not None and isinstance(found.value, dict) else {}
    if bool(old.get("multi_panel")) == multi_panel and "multi_panel" in old:
        return
    new = {**old, "multi_panel": multi_panel}
    if found is not None:
        yield found.start, found.end, in_style(document, found, new)
    else:
        yield imageset.start + 1, imageset.start + 1, f'"params": {json.dumps(new)}, '


def first_images(
    imagesets: Member | None, experiments: ExperimentList, detector: int
) -> tuple[str, ...]:
    """The first image of each imageset of a detector: of a template that of the scan."""
    found = imagesets.value if imagesets is not None else None
    names: dict[str, None] = {}
    for entry in experiments.experiments:
        at = entry.imageset
        if entry.detector != detector or at is None or not isinstance(found, list):
            continue
        one = found[at] if 0 <= at < len(found) else None
        if not isinstance(one, dict):
            continue
        template, images = one.get("template"), one.get("images")
        first = 1 if entry.scan is None else experiments.scans[entry.scan].image_range[0]
        if isinstance(template, str) and template:
            names[image_name(template, first)] = None
        elif isinstance(images, list) and images and isinstance(images[0], str):
            names[images[0]] = None
    return tuple(names)


def image_name(template: str, number: int) -> str:
    """The name of an image: its number in place of the last ``#`` signs of a template."""
    *_, last = [None, *_NUMBER_SIGNS.finditer(template)]
    if last is None:
        return template
    digits = str(abs(number)).zfill(last.end() - last.start() - (number < 0))
    return f"{template[: last.start()]}{'-' * (number < 0)}{digits}{template[last.end() :]}"


def values_of(imagesets: Sequence[Any], keys: Sequence[str]) -> tuple[str, ...]:
    """The texts under these keys of imagesets, also those in lists, each once."""
    found = [one[key] for one in imagesets if isinstance(one, dict) for key in keys if one.get(key)]
    texts = (str(text) for one in found for text in (one if isinstance(one, list) else [one]))
    return tuple(dict.fromkeys(texts))


def in_style(document: JsonText, member: Member, value: Any) -> str:
    """The JSON of a value, written like the value whose place it takes: compact or indented."""
    text = document.text[member.start : member.end]
    if "\n" not in text and len(text) > 2:
        return json.dumps(value, separators=(", ", ": ") if '": ' in text else (",", ":"))
    line = document.text.rfind("\n", 0, member.start) + 1
    depth = document.skip_space(line) - line
    return json.dumps(value, indent=2).replace("\n", "\n" + " " * depth)


def _panels(value: Any) -> list[dict[str, Any]]:
    return list(value if isinstance(value, list) else value["panels"])


def _module(
    panel: Mapping[str, Any], name: str, box: Sequence[int], offset: Sequence[int]
) -> dict[str, Any]:
    """One module of a panel, in the frame of its first pixel."""
    fast, slow, end, bottom = box
    pixel = panel["pixel_size"]
    masks = [
        [max(a, fast) - fast, max(b, slow) - slow, min(c, end) - fast, min(d, bottom) - slow]
        for a, b, c, d in panel.get("mask") or []
    ]
    own = {
        "name": name,
        "fast_axis": [1.0, 0.0, 0.0],
        "slow_axis": [0.0, 1.0, 0.0],
        "origin": [fast * pixel[0], slow * pixel[1], 0.0],
        "raw_image_offset": [offset[0] + fast, offset[1] + slow],
        "image_size": [end - fast, bottom - slow],
        "mask": [one for one in masks if one[0] < one[2] and one[1] < one[3]],
    }
    # Where the panel appears in a two-dimensional picture of the detector: no longer true.
    return {key: one for key, one in panel.items() if key != "projection_2d"} | own


def _detector(value: Any, panels: list[dict[str, Any]], frame: Frame) -> dict[str, Any]:
    """A detector of panels in one group with a frame; other keys are kept."""
    old = {} if isinstance(value, list) else value
    group = {k: v for k, v in (old.get("hierarchy") or _GROUP).items() if k != "children"}
    children = [{"panel": index} for index in range(len(panels))]
    return {**old, "panels": panels, "hierarchy": {**group, **frame, "children": children}}


def _is_flat(group: Mapping[str, Any]) -> bool:
    """Whether a group holds panels only."""
    return bool(group) and all("panel" in child for child in group["children"])


def _is_identity(group: Mapping[str, Any]) -> bool:
    """Whether the panels of a group are given in the laboratory frame."""
    return not group or (_is_flat(group) and all(group[key] == _GROUP[key] for key in AXES))


def _frame(motion: RigidMotion) -> Frame:
    fast, slow, _ = motion.rotation.T.tolist()
    return {"fast_axis": fast, "slow_axis": slow, "origin": motion.translation_mm.tolist()}


def _between(spans: Any) -> list[tuple[int, int]]:
    """The gaps between spans in ascending order."""
    pairs = zip(spans[:-1, 1].tolist(), spans[1:, 0].tolist(), strict=True)
    return [(a, b) for a, b in pairs if a < b]


def _origin_in_import(frame: Frame, pixel: Sequence[float], *, one_panel: bool) -> list[float]:
    """The origin with the last bit as dxtbx computes it, for PILATUS images not yet refined.

    From the beam centre in the image's header, dxtbx computes the origin of one panel as
    px * pixel_m * 1000, and that of modules as px * (pixel_m * 1000), which round differently.
    """
    x, y, z = frame["origin"]
    pixel_mm = _PILATUS_PIXEL * 1000.0
    upright = frame["fast_axis"] == [1.0, 0.0, 0.0] and frame["slow_axis"] == [0.0, -1.0, 0.0]
    if not upright or list(pixel) != [pixel_mm, pixel_mm]:
        return [x, y, z]
    exact = []
    for value in (-x, y):
        beam_px = round(value / pixel_mm, _DECIMALS)
        computed = beam_px * _PILATUS_PIXEL * 1000.0 if one_panel else beam_px * pixel_mm
        exact.append(computed if abs(computed - value) <= 2.0 * math.ulp(value) else value)
    return [-exact[0], exact[1], z]
