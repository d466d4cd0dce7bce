"""When the datasets of a derivation were taken, from their files, their images or the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from calib.files.reader import DataFiles
from calib.flows.shared.images import (
    FoundImage,
    ImagePlaces,
    Images,
    images_in,
    instant_of_header,
)
from calib.flows.shared.times import instant_of_epoch, read_instant
from calib.model.experiment.dataset import Dataset
from calib.model.store.record import DetectorRecord


@dataclass(frozen=True, slots=True, eq=False)
class ImagesOfDatasets:
    """The images of the files of a derivation."""

    each: tuple[Images, ...]
    """Of each pair of files."""
    by_file: Mapping[str, Images]
    """By the hash of the experiment list."""

    @staticmethod
    def of(pairs: Sequence[DataFiles], places: ImagePlaces) -> ImagesOfDatasets:
        """The images that the experiments name; raises as ``images_in``."""
        each = tuple(images_in(one.file, one.experiment_path, places) for one in pairs)
        names = [one.file.sha256 for one in pairs]
        return ImagesOfDatasets(each, dict(zip(names, each, strict=True)))

    @property
    def notices(self) -> list[str]:
        """About images that cannot be read."""
        return [text for one in self.each for text in one.notices]

    def image(self, data: Dataset) -> FoundImage | None:
        """The image of a dataset, if one was found."""
        for sha256 in data.source.sha256:
            if sha256 in self.by_file:
                return self.by_file[sha256].found.get(data.detector_index)
        return None


@dataclass(frozen=True, slots=True)
class DatasetTime:
    """When a dataset was taken."""

    instant: datetime | None
    notice: str = ""
    """Why its file does not state it, as a sentence; empty where it does."""


def times_of(
    datasets: Sequence[Dataset],
    detector: DetectorRecord,
    images: ImagesOfDatasets,
    at: str | None,
    starts: Mapping[tuple[str, ...], datetime | None],
    now: datetime,
) -> list[DatasetTime]:
    """When each dataset was taken: ``at`` for all of them, as ``starts`` gives it, or as its files
    or its image state. Raises ``InputError`` where ``at`` is no time."""
    given = None if at is None else read_instant(at, detector.zones, now)
    return [_time_of(data, detector, images, given, starts) for data in datasets]


def _time_of(
    data: Dataset,
    detector: DetectorRecord,
    images: ImagesOfDatasets,
    given: datetime | None,
    starts: Mapping[tuple[str, ...], datetime | None],
) -> DatasetTime:
    if given is not None:
        return DatasetTime(given)
    key = tuple(sorted(data.source.sha256))
    if key in starts:
        return DatasetTime(starts[key])
    stated = instant_of_epoch(data.epoch, detector.zones)
    image = images.image(data)
    seen = None if image is None else instant_of_header(image.header, detector.zones)
    if not data.why_no_time:
        return DatasetTime(stated or seen)
    if stated is not None:
        return DatasetTime(stated, f"{data.name}: it is ignored, since {data.why_no_time}.")
    if seen is not None and image is not None:
        source = f"the time of these data is that of {image.path}"
    else:
        source = "the time of these data is unknown"
    return DatasetTime(seen, f"{data.name}: {source}, since {data.why_no_time}.")
