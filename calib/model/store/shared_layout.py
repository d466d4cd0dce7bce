"""Layouts in a store: files of detector families that all of its users share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from calib.errors import InputError
from calib.model.base.text import checked_name, checked_words
from calib.model.detector.known_detector import KnownDetector, read_family
from calib.model.store.record import ChangeStamp

LONGEST = 100_000
"""Characters of a file."""


@dataclass(frozen=True, slots=True)
class SharedLayout:
    """A file of a family, as it was recorded under a name."""

    number: int
    """Its position in the log; 0 before it is recorded."""
    name: str
    """The name of the file without its ending; a later one of the same name replaces it."""
    content: str
    """The file: TOML, as ``docs/reference/layouts.md`` describes it."""
    reason: str
    """Empty if none was given."""
    recorded: ChangeStamp

    def __post_init__(self) -> None:
        checked_name(self.name, "the name of the file")
        checked_words(self.reason, "the reason")
        if len(self.content) > LONGEST:
            raise InputError(
                "too-large",
                f"the file has {len(self.content)} characters, more than {LONGEST}.",
                remedy="describe fewer models, or those on a grid by their grid.",
            )

    def detectors(self) -> list[KnownDetector]:
        """The detectors that it describes; raises ``FileFormatError`` as ``read_family``."""
        return read_family(self.content, f"the store, {self.name}")


def layouts_in_force(recorded: Iterable[SharedLayout]) -> list[SharedLayout]:
    """The last one of each name, in the order of the names."""
    last: dict[str, SharedLayout] = {}
    for one in recorded:
        if one.name not in last or one.number > last[one.name].number:
            last[one.name] = one
    return [last[name] for name in sorted(last)]
