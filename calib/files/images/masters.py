"""Headers of HDF5 masters, from the values that the other process found."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from calib.errors import FileFormatError, LayoutError
from calib.files.hdf5_process import IMAGE, Hdf5UnreadableError, answered
from calib.files.images import values
from calib.files.serial import serial_from
from calib.model.base.bounds import PANEL_SIZE_PX
from calib.model.detector.module_map import ModuleMap
from calib.model.experiment.image_header import ImageHeader


def master_header(path: Path, place: str) -> ImageHeader:
    """The header of a master.

    Raises ``FileFormatError`` (``bad-image``) for another HDF5 file, and one that the HDF5 library
    cannot read within the limits.
    """
    try:
        text = answered(IMAGE, os.fsencode(path.absolute()), place)
    except Hdf5UnreadableError as error:
        raise FileFormatError(
            "bad-image",
            error.problem,
            place=place,
            remedy="copy the image again from where it was taken.",
        ) from error
    return _header(json.loads(text))


def _header(stated: dict[str, Any]) -> ImageHeader:
    model = values.words(stated["description"])
    serial = values.serial(stated["serial"]) or values.serial(serial_from(model))
    if serial is not None and serial_from(model) is None:
        model = f"{model}, S/N {serial}" if model else f"S/N {serial}"
    size = values.size_pair(*stated["size"]) if stated["size"] else None
    pixels = [values.length_mm(*one) if one else None for one in stated["pixel"]]
    beam = [one[0] if one else None for one in stated["beam"]]
    roi = stated["roi_mode"]
    return ImageHeader(
        model=model,
        serial=serial,
        size_px=size,
        pixel_mm=values.pixel_pair(pixels[0], pixels[1]),
        distance_mm=values.distance_mm(*stated["distance"]) if stated["distance"] else None,
        wavelength_angstrom=values.wavelength_angstrom(*stated["wavelength"])
        if stated["wavelength"]
        else None,
        taken=values.taken(stated["taken"]),
        material=values.material(stated["material"]),
        thickness_mm=values.thickness_mm(*stated["thickness"]) if stated["thickness"] else None,
        beam_px=values.centre_pair(beam[0], beam[1]),
        roi_mode=None if roi is None else values.words(roi),
        modules=None if size is None else _modules(stated["modules"], size),
    )


def _modules(halves: Sequence[Sequence[float]], size_px: tuple[int, int]) -> ModuleMap | None:
    """The modules of an EIGER from its half modules, one above the other; None where these are
    not the halves of modules inside the image."""
    if not halves or any(value not in PANEL_SIZE_PX for one in halves for value in _whole(one[2:])):
        return None
    boxes = sorted((_whole(one) for one in halves), key=lambda box: (box[1], box[0]))
    modules: list[list[int]] = []
    for fast, slow, width, height in boxes:
        above = next(
            (
                one
                for one in modules
                if one[0] == fast and one[2] == width and one[1] + height == slow
                and one[3] == height
            ),
            None,
        )  # fmt: skip
        if above is None:
            modules.append([fast, slow, width, height])
        else:
            above[3] += height
    boxes_px = np.array([(f, s, f + w, s + h) for f, s, w, h in modules], dtype=np.int64)
    names = tuple(f"Panel{k}" for k in range(len(modules)))
    try:
        return ModuleMap(names, boxes_px, size_px)
    except LayoutError:
        return None


def _whole(numbers: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(number) if abs(number) < 2**31 else -1 for number in numbers)
