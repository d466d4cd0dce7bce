"""The history of a file: which calibration it carries, in experiment lists and MTZ files.

DIALS from 3.26 on keeps in each experiment list what was done to it, a line ``UTC|program|version|
flags`` for each program. A line of calib says ``calibration=`` and the first 16 digits of the id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from calib.errors import FileFormatError
from calib.files.atomic import read_bytes
from calib.files.dials.json_text import JsonText, edited
from calib.files.kinds import EXPERIMENTS, MTZ
from calib.version import __version__

_LINE = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\|(calib\.\w+)\|([^|\s]{1,20})\|calibration=([0-9a-f]{16})\s*"
)


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """That a calibration was applied."""

    at: datetime
    """UTC, to the second."""
    program: str
    version: str
    """Of calib."""
    calibration: str
    """The first 16 digits of its id."""

    @property
    def text(self) -> str:
        """As it stands in files; at most 80 characters."""
        at = f"{self.at:%Y-%m-%dT%H:%M:%SZ}"
        return f"{at}|{self.program}|{self.version}|calibration={self.calibration}"


class Applied(Protocol):
    """That a calibration was applied to a detector."""

    @property
    def calibration_id(self) -> str:
        """The id of the calibration."""


def applied_lines(applied: Iterable[Applied], at: datetime) -> tuple[HistoryLine, ...]:
    """That ``calib apply`` applied these calibrations, each once."""
    ids = dict.fromkeys(one.calibration_id[:16] for one in applied)
    return tuple(HistoryLine(at.astimezone(UTC), "calib.apply", __version__[:20], i) for i in ids)


def with_history(data: bytes, name: str, lines: Sequence[HistoryLine]) -> bytes:
    """An experiment list with these lines at the end of its history, if it keeps one.

    Nothing is added where the last lines of calib name the same calibrations already.
    """
    document = JsonText.decode(data, name)
    found = {one.key: one for one in document.members(document.skip_space(0))}
    member = found.get("history")
    if not lines or member is None or not isinstance(member.value, list):
        return data
    earlier = _parsed(member.value)[-len(lines) :]
    if [one.calibration for one in earlier] == [one.calibration for one in lines]:
        return data
    inside = list(document.members(member.start))
    new = [json.dumps(line.text) for line in lines]
    if not inside:
        edit = (member.start, member.end, f"[{', '.join(new)}]")
    else:
        gap = document.text[member.start + 1 : inside[0].start]
        edit = (inside[-1].end, inside[-1].end, "".join(f",{gap}{text}" for text in new))
    return edited(document.text, [edit]).encode("utf-8")


def read_history(path: Path) -> list[HistoryLine]:
    """The lines of calib in the history of an experiment list or an MTZ file, in order.

    Raises ``MissingFileError``, and ``FileFormatError`` for other files.
    """
    data = read_bytes(path)
    if MTZ.recognises(data[:64]):
        return _parsed(_mtz(data, path)[1])
    if not EXPERIMENTS.recognises(data[:4096]):
        raise FileFormatError(
            "no-history",
            "this is neither an experiment list nor an MTZ file.",
            place=str(path),
            remedy="give a .expt or .mtz file.",
        )
    document = JsonText.decode(data, str(path))
    for member in document.members(document.skip_space(0)):
        if member.key == "history" and isinstance(member.value, list):
            return _parsed(member.value)
    return []


def annotated_mtz(path: Path, lines: Sequence[HistoryLine]) -> bytes:
    """An MTZ file with these lines in its history, which it may have already.

    Raises ``FileFormatError`` for other files.
    """
    data = read_bytes(path)
    if not MTZ.recognises(data[:64]):
        raise _no_mtz(path, "it does not begin with MTZ")
    mtz, history = _mtz(data, path)
    old = [text for text in history if not _LINE.fullmatch(text)]
    mtz.history = [line.text for line in lines] + old
    with TemporaryDirectory(prefix="calib-") as folder:
        target = Path(folder) / "annotated.mtz"
        mtz.write_to_file(str(target))
        return target.read_bytes()


def _mtz(data: bytes, path: Path) -> tuple[Any, list[str]]:
    """An MTZ file and its history."""
    import gemmi

    with TemporaryDirectory(prefix="calib-") as folder:
        copy = Path(folder) / "read.mtz"
        copy.write_bytes(data)
        try:
            mtz = gemmi.read_mtz_file(str(copy))
            return mtz, list(mtz.history)
        except (RuntimeError, ValueError, MemoryError, IndexError, UnicodeDecodeError) as error:
            raise _no_mtz(path, str(error).replace(str(copy), path.name)) from error


def _no_mtz(path: Path, why: str) -> FileFormatError:
    return FileFormatError(
        "not-mtz", f"this is not an MTZ file: {why}.", place=str(path), remedy="give an .mtz file."
    )


def _parsed(texts: Sequence[Any]) -> list[HistoryLine]:
    found = (_LINE.fullmatch(text) for text in texts if isinstance(text, str))
    out = []
    for match in found:
        if match is None:
            continue
        try:
            at = datetime.fromisoformat(match[1].replace("Z", "+00:00"))
        except ValueError:  # such as month 13
            continue
        out.append(HistoryLine(at, match[2], match[3], match[4]))
    return out
