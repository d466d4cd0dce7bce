"""When datasets were taken: as given, as recorded before, as their files or their images state."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calib.flows.shared.dataset_times import ImagesOfDatasets, times_of
from calib.flows.shared.images import FoundImage, Images
from calib.model.experiment.dataset import Dataset, Source
from calib.model.experiment.image_header import ImageHeader
from calib.model.store.record import DetectorRecord
from support.simulated import LAYOUT, NIGHT_1, SERIAL, measured

LONDON = DetectorRecord(SERIAL, LAYOUT, "Europe/London", "")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
WHY = "its epoch of 1 s is before 1980"


@pytest.fixture(scope="module")
def data() -> Dataset:
    simulated = measured("night", 150.0, NIGHT_1, seed=1, n_reflections=50)
    return replace(simulated.header(), source=Source(("night.expt",), ("a" * 64,)))


def images(data: Dataset, taken: datetime) -> ImagesOfDatasets:
    image = FoundImage(Path("x.cbf"), ImageHeader("PILATUS", taken=taken))
    return ImagesOfDatasets((), {data.source.sha256[0]: Images({0: image})})


def test_the_file_is_asked_before_the_image(data: Dataset) -> None:
    other = images(data, datetime(2026, 7, 1, 9))  # noqa: DTZ001
    (found,) = times_of([data], LONDON, other, None, {}, NOW)
    assert (found.instant, found.notice) == (NIGHT_1, "")


@pytest.mark.parametrize(
    ("taken", "instant"),
    [
        (datetime(2026, 7, 1, 9), datetime(2026, 7, 1, 8, tzinfo=UTC)),  # noqa: DTZ001 - summer
        (datetime(2026, 7, 1, 9, tzinfo=UTC), datetime(2026, 7, 1, 9, tzinfo=UTC)),
    ],
)
def test_an_image_without_an_offset_is_read_in_the_zone_of_the_detector(
    data: Dataset, taken: datetime, instant: datetime
) -> None:
    relative = replace(data, epoch=None, why_no_time=WHY)
    (found,) = times_of([relative], LONDON, images(data, taken), None, {}, NOW)
    assert found.instant == instant
    assert found.notice == f"{data.name}: the time of these data is that of x.cbf, since {WHY}."


def test_a_given_time_precedes_a_recorded_one_and_that_the_file(data: Dataset) -> None:
    recorded = {tuple(sorted(data.source.sha256)): datetime(2026, 2, 1, tzinfo=UTC)}
    none = ImagesOfDatasets((), {})
    (given,) = times_of([data], LONDON, none, "2026-07-03", recorded, NOW)
    assert given.instant == datetime(2026, 7, 2, 23, tzinfo=UTC)
    (again,) = times_of([data], LONDON, none, None, recorded, NOW)
    assert again.instant == datetime(2026, 2, 1, tzinfo=UTC)
