"""The images of experiments: found where the experiments or the user say, and their headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from calib.errors import FileFormatError, InputError, MissingFileError
from calib.files.images.reader import read_image_header
from calib.files.reader import ExperimentFile
from calib.flows.shared.times import instant_of_epoch
from calib.model.base.zones import TimeZones
from calib.model.experiment.image_header import ImageHeader

_MOST_IMAGES = 100
"""Of one experiment list, whose detectors may be thousands."""
_MOST_TRIED = 5
"""Imagesets of a detector whose first image is looked for."""


@dataclass(frozen=True, slots=True)
class ImagePlaces:
    """Where the images of experiments are."""

    root: Path | None = None
    """A folder to which they were moved; None: where the experiments say."""
    read: bool = True
    """Whether to read them at all."""


@dataclass(frozen=True, slots=True, eq=False)
class FoundImage:
    """An image that experiments name, and its header."""

    path: Path
    header: ImageHeader


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Images of the detectors of an experiment list."""

    found: Mapping[int, FoundImage] = field(default_factory=dict)
    """By index of the detector."""
    notices: tuple[str, ...] = ()
    """About images that cannot be read, and a folder in which there are none."""

    def header(self, detector: int) -> ImageHeader | None:
        """The header of an image of a detector, if one was found."""
        image = self.found.get(detector)
        return None if image is None else image.header


def images_in(file: ExperimentFile, path: Path, places: ImagePlaces) -> Images:
    """The images of the detectors in use that exist, and whose headers can be read.

    ``path`` is that of the file, to which names of images may be relative. Other files than
    regular ones are taken as missing. Raises ``InputError`` for a ``root`` that is no folder.
    """
    if not places.read:
        return Images()
    if places.root is not None and not places.root.is_dir():
        raise InputError(
            "missing-file",
            "there is no such folder.",
            place=str(places.root),
            remedy="use --images with the folder of the images, or --no-images.",
        )
    found: dict[int, FoundImage] = {}
    notices: list[str] = []
    missing = 0
    for detector in file.experiments.detectors_in_use[:_MOST_IMAGES]:
        names = file.first_images(detector)[:_MOST_TRIED]
        missing += bool(names)
        for candidate in (one for name in names for one in _candidates(name, path, places)):
            try:
                if not candidate.is_file():
                    continue
                found[detector] = FoundImage(candidate, read_image_header(candidate))
                missing -= 1
            except (MissingFileError, OSError, ValueError) as error:
                if isinstance(error, FileFormatError):
                    missing -= 1
                    if error.code != "unknown-image":
                        notices.append(f"an image was not used: {error}")
                else:
                    continue
            break
    if places.root is not None and missing:
        notices.append(f"no image of {path.name} was found in {places.root}.")
    return Images(found, tuple(dict.fromkeys(notices)))


def _candidates(name: str, path: Path, places: ImagePlaces) -> Iterator[Path]:
    """Where an image may be: below ``root`` by the longest part of its path first."""
    if places.root is None:
        yield path.parent / name
        return
    parts = [part for part in Path(name).parts if part != Path(name).anchor]
    for start in range(len(parts)):
        if ".." not in parts[start:]:
            yield places.root.joinpath(*parts[start:])


def instant_of_header(header: ImageHeader | None, zone: str | TimeZones) -> datetime | None:
    """When an image was taken, in UTC; a time without an offset is read in the detector's zone."""
    if header is None or header.taken is None:
        return None
    if header.taken.tzinfo is not None:
        return header.taken
    return instant_of_epoch(header.epoch, zone)
