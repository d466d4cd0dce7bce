"""Files that are neither experiments nor reflections, named for what they are, with a remedy."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from calib.errors import FileFormatError
from calib.files.kinds import (
    HDF5_MAGIC,
    HEAD,
    SUMMARY,
    WRITTEN,
    kind_named,
    looks_like_pickle,
)

_IMPORT = "import the images with dials.import, and give the .expt file that it writes."
_ON_TRUST = "convert it with DIALS, on a computer where you trust the file: python -c "
_LIST_REMEDY = (
    _ON_TRUST + "'from dxtbx.model.experiment_list import ExperimentListFactory as F; "
    'F.from_pickle_file("{name}").as_file("{stem}.expt")\''
)
_TABLE_REMEDY = (
    _ON_TRUST + "'from dials.array_family import flex; "
    'flex.reflection_table.from_file("{name}").as_file("{stem}.refl")\''
)


class _Foreign(NamedTuple):
    """A format of another program."""

    name: str
    """With its article."""
    recognises: Callable[[bytes], bool]
    remedy: str = _IMPORT


def _starts(*beginnings: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(beginnings)


def _matches(pattern: bytes) -> Callable[[bytes], bool]:
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda head: compiled.search(head) is not None


_FOREIGN = (
    _Foreign("an HDF5 file, such as a NeXus master file of images", _starts(HDF5_MAGIC)),
    _Foreign("an image in CBF", _starts(b"###CBF", b"###_START_OF_HEADER")),
    _Foreign("a TIFF image", _starts(b"II*\0", b"MM\0*")),
    _Foreign("a gzip archive", _starts(b"\x1f\x8b"), "decompress it with gunzip."),
    _Foreign("a bzip2 archive", _starts(b"BZh"), "decompress it with bunzip2."),
    _Foreign(
        "a geometry of XDS",
        _matches(rb"\A ?G?XPARM\.XDS\b|^\s*(JOB|ORGX|NAME_TEMPLATE_OF_DATA_FRAMES)="),
    ),
    _Foreign("reflections of XDS", _matches(rb"\A!(FORMAT=XDS_ASCII|OUTPUT_FILE=)")),
    _Foreign(
        "a geometry of CrystFEL",
        _matches(rb"^\s*([\w.-]+/)?(min_fs|max_ss|fs|corner_x|clen|coffset|adu_per_eV)\s*="),
    ),
    _Foreign("a geometry of psana", _matches(rb"\A# (TITLE|DATE_TIME|HDR PARENT)\b")),
)


def refuse_pickle(head: bytes, place: str) -> None:
    """Raise ``FileFormatError`` (``pickle``) for a pickle; ``head`` are its first bytes."""
    if not looks_like_pickle(head):
        return
    path = Path(place)
    raise FileFormatError(
        "pickle",
        "this is a pickle, which runs code when it is loaded; calib never loads one.",
        place=place,
        remedy=(_TABLE_REMEDY if _holds_table(head, path) else _LIST_REMEDY).format(
            name=path.name, stem=path.stem
        ),
    )


def refuse_other_file(head: bytes, place: str) -> None:
    """Raise ``FileFormatError`` for a file of another program; ``head`` are its first bytes.

    The code is ``pickle`` for a pickle, and ``other-format`` for any other.
    """
    head = head[:HEAD]
    refuse_pickle(head, place)
    for foreign in _FOREIGN:
        if foreign.recognises(head) and not SUMMARY.recognises(head):
            raise FileFormatError(
                "other-format",
                f"this is {foreign.name}, which holds no experiments that calib can read.",
                place=place,
                remedy=foreign.remedy,
            )
    if any(kind.recognises(head) for kind in WRITTEN[2:]):
        raise FileFormatError(
            "other-format",
            f"this is {kind_named(head)}, not a file of experiments or reflections.",
            place=place,
            remedy="give the .expt and .refl files in its place.",
        )


def not_an_experiment_list(name: str, value: Any) -> FileFormatError:
    """The error for JSON with another value than an experiment list."""
    blocks = value if isinstance(value, list) else []
    if any(isinstance(block, dict) and block.get("__id__") == "DataBlock" for block in blocks):
        found = "this is a datablock of DIALS 1"
        remedy = "import its images again with dials.import."
    elif isinstance(value, dict):
        found = f"this JSON has the __id__ {repr(value.get('__id__'))[:60]}"
        remedy = "give a .expt file written by DIALS."
    else:
        found = f"this JSON is a {type(value).__name__}"
        remedy = "give a .expt file written by DIALS."
    return FileFormatError(
        "not-an-experiment-list", f"{found}, expected 'ExperimentList'.", place=name, remedy=remedy
    )


def _holds_table(head: bytes, path: Path) -> bool:
    """Whether a pickle is a reflection table, as those of old DIALS with the ending ``.pickle``."""
    if b"reflection_table" in head or ".refl" in path.suffixes:
        return True
    return b"xperiment" not in head and b"dxtbx" not in head
