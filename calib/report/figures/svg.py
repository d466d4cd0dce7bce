"""Drawings as SVG for a page with a strict content policy.

matplotlib writes ``style`` attributes and a style sheet into its SVG. Here they become presentation
attributes, colours of the theme become classes, and all ids begin with the name of the figure.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG

from calib.report.figures.drawing import Drawing, Mark
from calib.report.figures.style import CLASSES, FONT_POINTS, POINTS

_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_FONT_SIZE = re.compile(r"([\d.]+)px")
_SHAPES = {f"{{{_SVG}}}{name}" for name in ("path", "use")}
_DEFAULTS = {"stroke-linejoin": "round", "stroke-linecap": "butt"}


def svg_text(drawing: Drawing, name: str, title: str, words: str) -> str:
    """A drawing as an SVG element.

    Its ids begin with ``name``. ``title`` and ``words`` are read to those who do not see it.
    Elements of collections have the ids of their marks. The attribute ``data-axes`` holds for each
    of the axes a, b, c, d with which a point (x, y) of the data is drawn at (a + b x, c + d y), and
    each scale is an attribute, such as ``data-um-per-mm``.
    """
    buffer = io.BytesIO()
    FigureCanvasSVG(drawing.figure).print_svg(buffer)  # type: ignore[no-untyped-call]
    root = ET.fromstring(buffer.getvalue())  # noqa: S314 - written by matplotlib just now
    for child in [one for one in root if one.tag.endswith("metadata")]:
        root.remove(child)
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag.endswith("}style")]:
            parent.remove(child)
    for element in root.iter():
        _clean(element, name)
    for gid, marks in drawing.marks.items():
        _name_marks(root, name, gid, marks)
    _describe(root, drawing, name, title, words)
    ET.register_namespace("", _SVG)
    text = ET.tostring(root, encoding="unicode")
    return re.sub(r">\s+<", "><", text)


def _clean(element: ET.Element, name: str) -> None:
    style = element.attrib.pop("style", "")
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        key, _, value = declaration.partition(":")
        _set_property(element, key.strip(), value.strip())
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.attrib['id']}")
    if _HREF in element.attrib:
        element.set("href", f"#{name}-{element.attrib.pop(_HREF)[1:]}")
    for key, value in list(element.attrib.items()):
        if "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))
    for key in ("fill", "stroke"):
        _classify(element, key)
    for key in ("d", "x", "y", "transform", "points"):
        if key in element.attrib:
            element.set(key, _rounded(element.attrib[key]))


def _set_property(element: ET.Element, key: str, value: str) -> None:
    if key == "font":  # the shorthand is no presentation attribute
        found = _FONT_SIZE.search(value)
        if found and float(found[1]) != FONT_POINTS:
            element.set("font-size", found[1])
        if "bold" in value or " 700 " in f" {value} ":
            element.set("font-weight", "bold")
    elif _DEFAULTS.get(key) != value:
        element.set(key, value)


def _classify(element: ET.Element, key: str) -> None:
    named = CLASSES.get(element.attrib.get(key, ""))
    if named is not None:
        before = element.attrib.get("class", "")
        element.set("class", f"{before} {key[0]}-{named}".strip())


def _rounded(text: str) -> str:
    """Numbers to a hundredth of a point, without line ends."""
    short = _NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), text)
    return " ".join(short.split())


def _name_marks(root: ET.Element, name: str, gid: str, marks: Sequence[Mark]) -> None:
    group = next(one for one in root.iter() if one.get("id") == f"{name}-{gid}")
    inside = {child for one in group.iter() if one.tag.endswith("}defs") for child in one.iter()}
    shapes = [one for one in group.iter() if one.tag in _SHAPES and one not in inside]
    if len(shapes) != len(marks):
        raise ValueError(f"{len(shapes)} shapes for {len(marks)} marks")  # noqa: EM102
    for shape, mark in zip(shapes, marks, strict=True):
        shape.set("id", f"{name}-{mark.name}")
        if mark.title:
            ET.SubElement(shape, f"{{{_SVG}}}title").text = mark.title
    _hoist(group, shapes)


def _hoist(group: ET.Element, shapes: list[ET.Element]) -> None:
    """Move the attributes that all shapes of a group share to the group."""
    if not shapes:
        return
    for key, value in list(shapes[0].attrib.items()):
        shared = key not in ("id", "d", "x", "y", "href", "clip-path", "transform")
        if shared and all(one.get(key) == value for one in shapes):
            group.set(key, value)
            for one in shapes:
                del one.attrib[key]


def _describe(root: ET.Element, drawing: Drawing, name: str, title: str, words: str) -> None:
    width, height = (POINTS * float(inches) for inches in drawing.figure.get_size_inches())
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib.update(
        {
            "id": name,
            "class": "figure",
            "viewBox": f"0 0 {width:g} {height:g}",
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-words",
            "font-family": "DejaVu Sans, Verdana, sans-serif",
            "font-size": f"{FONT_POINTS:g}",
            "data-axes": "; ".join(_axes_text(axes, height) for axes in drawing.axes),
            **_DEFAULTS,
            **{f"data-{key}": f"{value:.9g}" for key, value in drawing.scales.items()},
        }
    )
    for place, (kind, text) in enumerate((("title", title), ("desc", words))):
        element = ET.Element(f"{{{_SVG}}}{kind}")
        element.set("id", f"{name}-{'title' if kind == 'title' else 'words'}")
        element.text = text
        root.insert(place, element)


def _axes_text(axes: Axes, height: float) -> str:
    (x, y), (right, up) = axes.transData.transform(((0.0, 0.0), (1.0, 1.0)))
    numbers = x, right - x, height - y, y - up
    return " ".join(f"{value:.9g}" for value in numbers)
