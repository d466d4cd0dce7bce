"""Numbers read back from the figures of a report."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np

from calib.model.base.arrays import Floats

_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def figures(html: str) -> dict[str, ET.Element]:
    """The SVG elements of a page by id."""
    found = [ET.fromstring(text) for text in _SVG.findall(html)]  # noqa: S314 - made by a test
    return {str(one.get("id")): one for one in found}


def element(figure: ET.Element, name: str) -> ET.Element:
    """The element with this id within a figure."""
    full = f"{figure.get('id')}-{name}"
    return next(one for one in figure.iter() if one.get("id") == full)


def points(figure: ET.Element, name: str, axes: int = 0) -> Floats:
    """(n, 2) the vertices of a path in the units of the data."""
    shape = element(figure, name)
    text = shape.get("d")
    raw = (
        np.array(_NUMBER.findall(text), dtype=float).reshape(-1, 2)
        if text
        else np.array([[float(str(shape.get("x"))), float(str(shape.get("y")))]])
    )
    a, b, c, d = map(float, str(figure.get("data-axes")).split("; ")[axes].split())
    return np.stack([(raw[:, 0] - a) / b, (raw[:, 1] - c) / d], axis=1)


def centre(figure: ET.Element, name: str, axes: int = 0) -> Floats:
    """(2,) the centre of a symmetric marker in the units of the data."""
    vertices = points(figure, name, axes)
    return np.asarray(0.5 * (vertices.min(axis=0) + vertices.max(axis=0)))


def title(figure: ET.Element, name: str) -> str:
    """What is shown where the pointer rests on an element."""
    child = element(figure, name)[0]
    assert child.tag.endswith("title")
    return str(child.text)
