"""identify: which detector took images or experiments, and which calibration applies to them."""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from calib.errors import InputError, LayoutError, MissingFileError, NotFoundError
from calib.files.atomic import open_input
from calib.files.images.reader import is_image, read_image_header
from calib.files.reader import ExperimentFile, read_experiments
from calib.flows.shared.distances import check_distance
from calib.flows.shared.identity import default_serial, known_detector, serial_of
from calib.flows.shared.images import (
    FoundImage,
    ImagePlaces,
    images_in,
    instant_of_header,
)
from calib.flows.shared.modules import known_in, modules_of, recognised
from calib.flows.shared.times import instant_of_epoch, read_instant
from calib.model.base.zones import TimeZones
from calib.model.detector.correction import Correction
from calib.model.detector.families import Registry
from calib.model.detector.known_detector import KnownDetector
from calib.model.detector.layout import Layout, PanelShape
from calib.model.experiment import epochs
from calib.model.experiment.experiment import Detector
from calib.model.experiment.image_header import ImageHeader
from calib.model.experiment.pose import DRAWN, layout_of, locate_detector
from calib.model.store.protocol import StoreLike
from calib.model.store.record import DetectorRecord

_HEAD = 16
_NUMBER_SIGNS = re.compile("#+")
NOMINAL, OTHER = "nominal", "other"
"""Geometries: the nominal one, and one that is neither nominal nor that of a known calibration."""


@dataclass(frozen=True, slots=True, eq=False)
class Identified:
    """A detector of a file, and the calibration that applies to it."""

    path: Path
    detector: int | None
    """Its index in an experiment list; None for an image."""
    serial: str | None
    registered: bool
    """Whether the store knows the serial."""
    layout: str | None
    """The known detector whose modules it has."""
    layout_id: str | None
    """The hash of sizes and positions of its nominal panels (``Layout.geometry_id``)."""
    header: ImageHeader | None
    """That of the image, or of an image of the experiments that was found."""
    distance_mm: float | None
    taken: datetime | None
    """When the data were taken, in UTC."""
    calibration: str | None
    """The one certified for this time and distance."""
    why: str
    """Why no calibration applies; empty if one does."""
    geometry: str
    """``nominal``, the name of a calibration, or ``other``."""
    residual_um: float
    """The largest distance of a panel corner from the best-fitting known geometry."""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IdentifyRequest:
    """What is known about the data otherwise."""

    serial: str | None = None
    force_serial: bool = False
    at: str | None = None
    distance_mm: float | None = None
    images: ImagePlaces = field(default_factory=ImagePlaces)


class Identification:
    """Identifies files one after another; what the store answered is kept."""

    def __init__(self, request: IdentifyRequest, store: StoreLike, now: datetime) -> None:
        if request.distance_mm is not None:
            check_distance(request.distance_mm)
        self._request, self._store, self._now = request, store, now
        self._registry: Registry = known_in(store)
        self._records: dict[str, DetectorRecord | None] = {}
        self._known: dict[str, Sequence[tuple[str, Correction]]] = {}
        self._bounds: dict[str, list[datetime]] = {}
        self._answers: dict[tuple[str, int, float], tuple[str | None, str]] = {}

    def of(self, path: Path) -> list[Identified]:
        """The detectors of an image, of the first image of a template, or of experiments.

        Raises ``MissingFileError``, ``FileFormatError``, and ``InputError`` where serials
        contradict each other.
        """
        path = first_of_template(path)
        with open_input(path) as file:
            head = file.read(_HEAD)
        if is_image(head):
            return [self._of_image(path)]
        experiments = read_experiments(path)
        images = images_in(experiments, path, self._request.images)
        models = experiments.experiments
        return [
            replace(
                self._of_detector(experiments, path, k, images.found.get(k)),
                notices=images.notices,
            )
            for k in models.detectors_in_use
        ]

    def _of_image(self, path: Path) -> Identified:
        header = read_image_header(path)
        serial = self._serial(None, FoundImage(path, header), header.epoch, path)
        layout = geometry = None
        if header.size_px is not None and header.pixel_mm is not None:
            panel = PanelShape("", header.size_px, header.pixel_mm)
            with suppress(LayoutError):
                known = recognised(
                    self._registry, panel, header, text=header.model, serial=serial or ""
                )
                layout, geometry = known.name, known.layout()
        found = _Found(path, None, serial, header, header.epoch, layout, geometry)
        return self._identified(found, header.distance_mm)

    def _of_detector(
        self, file: ExperimentFile, path: Path, index: int, image: FoundImage | None
    ) -> Identified:
        models = file.experiments
        detector, epoch = models.detectors[index], epochs.earliest(models.epochs_of(index))
        header = None if image is None else image.header
        serial = self._serial(detector, image, epoch, path)
        record = self._record(serial)
        found = _Found(path, index, serial, header, epoch, None, None)
        if len(detector.panels) == 1:
            try:
                one = modules_of(self._registry, detector, index, serial=serial, header=header)
            except LayoutError as error:
                panel, pose = layout_of(detector)
                out = self._identified(found, panel.distance_mm(pose))
                return replace(out, calibration=None, why=error.problem)
            known: KnownDetector | None = one.known
            detector = file.split({index: one.known.modules}).experiments.detectors[index]
        else:
            known = self._registry.of_panels(layout_of(detector)[0], detector.identifier)
        nominal, root = layout_of(detector)
        distance = nominal.distance_mm(root)
        if known is not None:
            nominal = known.layout()
        if record is not None:
            nominal = record.layout
        found = replace(found, layout=None if known is None else known.name, nominal=nominal)
        try:
            located = locate_detector(nominal, detector, self._corrections(serial, record))
        except LayoutError as error:
            out = self._identified(found, distance)
            return replace(out, calibration=None, why=error.problem, geometry=OTHER)
        out = self._identified(found, nominal.distance_mm(located.lab_from_root))
        geometry = NOMINAL if located.carries == DRAWN else located.carries or OTHER
        return replace(out, geometry=geometry, residual_um=1e3 * located.residual_mm)

    def _identified(self, found: _Found, distance_mm: float | None) -> Identified:
        """What is known, with the calibration that applies."""
        request, record = self._request, self._record(found.serial)
        nominal = found.nominal if record is None else record.layout
        zones = TimeZones("UTC") if record is None else record.zones
        if request.at is not None:
            taken: datetime | None = read_instant(request.at, zones, self._now)
        else:
            taken = instant_of_epoch(found.epoch, zones) or instant_of_header(found.header, zones)
        distance_mm = request.distance_mm or distance_mm
        calibration, why = self._calibration(found.serial, record, taken, distance_mm)
        return Identified(
            path=found.path,
            detector=found.detector,
            serial=found.serial,
            registered=record is not None,
            layout=found.layout,
            layout_id=None if nominal is None else nominal.geometry_id,
            header=found.header,
            distance_mm=distance_mm,
            taken=taken,
            calibration=calibration,
            why=why,
            geometry=NOMINAL,
            residual_um=0.0,
        )

    def _serial(
        self, detector: Detector | None, image: FoundImage | None, epoch: float | None, path: Path
    ) -> str | None:
        """The serial number; None where nothing names it."""
        request = self._request
        try:
            return serial_of(
                detector,
                request.serial,
                force=request.force_serial,
                place=str(path),
                image=image,
                default=partial(default_serial, self._store, epoch, self._now),
            )
        except InputError as error:
            if error.code != "no-serial":
                raise
            return None

    def _record(self, serial: str | None) -> DetectorRecord | None:
        if serial is None:
            return None
        if serial not in self._records:
            self._records[serial] = known_detector(self._store, serial)
        return self._records[serial]

    def _corrections(
        self, serial: str | None, record: DetectorRecord | None
    ) -> Sequence[tuple[str, Correction]]:
        if serial is None or record is None:
            return []
        if serial not in self._known:
            self._known[serial] = self._store.calibrations.corrections(serial)
        return self._known[serial]

    def _calibration(
        self,
        serial: str | None,
        record: DetectorRecord | None,
        taken: datetime | None,
        distance_mm: float | None,
    ) -> tuple[str | None, str]:
        """The calibration that is certified for a time and a distance, or why there is none."""
        if serial is None:
            return None, "no serial number is stated"
        if record is None:
            return None, f"the store has no detector {serial}"
        if taken is None:
            return None, "the time of the data is unknown"
        if distance_mm is None:
            return None, "the distance is unknown"
        if serial not in self._bounds:
            periods = [one.validity for one in self._store.certifications.list(serial)]
            ends = [one.end for one in periods if one.end is not None]
            self._bounds[serial] = sorted([*(one.start for one in periods), *ends])
        # Between two bounds of certifications the answer does not depend on the time.
        key = serial, bisect_right(self._bounds[serial], taken), distance_mm
        if key not in self._answers:
            try:
                found = self._store.resolve(serial, taken, distance_mm)
                self._answers[key] = found.calibration.name, ""
            except NotFoundError as error:
                self._answers[key] = None, error.problem
        return self._answers[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What a file states, before the store is asked."""

    path: Path
    detector: int | None
    serial: str | None
    header: ImageHeader | None
    epoch: float | None
    layout: str | None
    nominal: Layout | None


def first_of_template(path: Path) -> Path:
    """The first image of a template, such as ``th_8_2_####.cbf``; any other path itself.

    Raises ``MissingFileError`` where there is none.
    """
    signs = list(_NUMBER_SIGNS.finditer(path.name))
    if not signs or path.exists():
        return path
    last, name = signs[-1], path.name
    digits = "[0-9]+" if last.end() - last.start() == 1 else f"[0-9]{{{last.end() - last.start()}}}"
    wanted = re.compile(re.escape(name[: last.start()]) + digits + re.escape(name[last.end() :]))
    try:
        with os.scandir(path.parent) as entries:
            names = [one.name for one in entries if wanted.fullmatch(one.name)]
    except OSError:
        names = []
    if not names:
        raise MissingFileError(
            "missing-file",
            "no image has a name of this template.",
            place=str(path),
            remedy="check the name and the folder.",
        )
    return path.with_name(min(names, key=lambda one: (len(one), one)))
