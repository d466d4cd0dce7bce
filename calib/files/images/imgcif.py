"""The categories of imgCIF in a full CBF image."""

from __future__ import annotations

from typing import Any

from calib.files.images import values

_LONGEST_TABLE = 1000
"""Rows of a category that are read."""


def imgcif_values(text: str) -> dict[str, Any]:
    """Values of ``ImageHeader`` that the categories state; none where the text is not CIF."""
    import gemmi

    # The pixels are inside a text field; without it the rest is plain CIF.
    start = text.rfind("\n_array_data.data")
    try:
        document = gemmi.cif.read_string(text if start < 0 else text[: start + 1])
        if not len(document):
            return {}
        return _values(document[0])
    except (ValueError, RuntimeError, IndexError):
        return {}


def _values(block: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "model": _first(block, "_diffrn_detector.details")
        or _first(block, "_diffrn_detector.type"),
        "wavelength_angstrom": values.wavelength_angstrom(
            _first(block, "_diffrn_radiation_wavelength.wavelength")
        ),
        "taken": values.taken(_first(block, "_diffrn_scan_frame.date")),
        "distance_mm": values.distance_mm(
            _first(block, "_diffrn_measurement.sample_detector_distance"), "mm"
        )
        or _distance_mm(block),
        "size_px": _size(block),
        "pixel_mm": _pixel(block),
    }
    return {key: value for key, value in found.items() if value}


def _size(block: Any) -> tuple[int, int] | None:
    rows = _rows(block, "_array_structure_list.", "precedence", "dimension")
    sizes = {row[0]: row[1] for row in rows}
    return values.size_pair(sizes.get("1"), sizes.get("2"))


def _pixel(block: Any) -> tuple[float, float] | None:
    sizes = {row[0]: row[1] for row in _rows(block, "_array_element_size.", "index", "size")}
    found = values.pixel_pair(
        values.length_mm(sizes.get("1"), "m"), values.length_mm(sizes.get("2"), "m")
    )
    if found is not None:
        return found
    steps = [
        step
        for (text,) in _rows(block, "_array_structure_list_axis.", "displacement_increment")
        if (step := values.length_mm(text, "mm"))
    ]
    return values.pixel_pair(abs(steps[0]), abs(steps[-1])) if steps else None


def _distance_mm(block: Any) -> float | None:
    """The displacement of the translation of the detector along the beam."""
    axes = _rows(block, "_axis.", "id", "type", "equipment", "vector[3]")
    along = {
        name
        for name, kind, equipment, beam in axes
        if (kind, equipment) == ("translation", "detector")
        and abs(abs(values.number(beam) or 0.0) - 1.0) < 1e-3
    }
    for category in ("_diffrn_scan_frame_axis.", "_diffrn_scan_axis."):
        item = "displacement" if "frame" in category else "displacement_start"
        for name, text in _rows(block, category, "axis_id", item):
            found = values.length_mm(text, "mm")
            if name in along and found:
                return values.distance_mm(abs(found), "mm")
    return None


def _first(block: Any, tag: str) -> str:
    import gemmi

    for text in block.find_values(tag):
        shown = "" if gemmi.cif.is_null(text) else str(gemmi.cif.as_string(text))
        if shown.strip():
            return shown
    return ""


def _rows(block: Any, category: str, *items: str) -> list[tuple[str, ...]]:
    import gemmi

    table = block.find(category, list(items))
    n = min(len(table), _LONGEST_TABLE)
    return [tuple(str(gemmi.cif.as_string(text)) for text in table[k]) for k in range(n)]
