"""The modules of detectors in experiments: recognised in one panel, and found in several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from calib.config.layouts import known_detectors
from calib.errors import LayoutError
from calib.files.reader import DataFiles, serial_from
from calib.flows.shared.identity import chosen_detectors, known_detector
from calib.flows.shared.images import Images
from calib.model.base.text import joined
from calib.model.detector.families import Registry, with_shared
from calib.model.detector.known_detector import KnownDetector
from calib.model.detector.layout import PanelShape
from calib.model.experiment.experiment import Detector
from calib.model.experiment.image_header import ImageHeader
from calib.model.experiment.pose import DetectorPose, layout_of, locate_detector
from calib.model.store.protocol import StoreLike
from calib.model.store.shared_layout import layouts_in_force


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A detector of an experiment list, and its modules."""

    index: int
    """Among the detectors of the list."""
    known: KnownDetector
    halves: bool = False
    """Whether each half of a module is a panel."""
    pose: DetectorPose | None = None
    """Where its panels are; None where it has one."""


def known_in(store: StoreLike, *, without: str = "") -> Registry:
    """The detectors that the user knows, and those in the store, less its file ``without``."""
    files = [one for one in layouts_in_force(store.layouts.list()) if one.name != without]
    return with_shared(known_detectors(), [known for one in files for known in one.detectors()])


def read_as_modules(
    data: DataFiles, store: StoreLike, serial: str | None, images: Images, *, place: str
) -> tuple[DataFiles, list[str]]:
    """The same files with the only panel of each detector read as modules, and what was done.

    A detector that the store knows by its serial is cut into the panels that it is registered
    with. Raises as ``modules_of``.
    """
    models = data.file.experiments
    alone = models.one_panel_detectors
    if not alone:
        return data, []
    chosen = chosen_detectors(models, serial, place=place)
    found = [
        registered_modules(
            models.detectors[k],
            k,
            store,
            serial if k in chosen else None,
            images.header(k),
            place=place,
        )
        for k in alone
    ]
    with at_place(place):
        data = data.as_modules({one.index: one.known.modules for one in found})
    return data, [f"{data.file.stem}: {one_panel_was_split(found)}."]


def one_panel_was_split(found: Sequence[Split]) -> str:
    """What was done to detectors of one panel, as a clause."""
    names = (f"the {len(one.known.modules)} modules of a {one.known.name}" for one in found)
    return f"one panel was split into {joined(list(dict.fromkeys(names)))}"


def registered_modules(
    detector: Detector,
    index: int,
    store: StoreLike,
    serial: str | None,
    header: ImageHeader | None = None,
    *,
    halves: bool = False,
    place: str,
) -> Split:
    """The modules of a detector of one panel: those registered under its serial, if any, else as
    ``modules_of``."""
    registry = known_in(store)
    name = serial or serial_from(detector.identifier) or (header and header.serial)
    record = known_detector(store, name) if name else None
    known = None if record is None else registry.of_panels(record.layout, detector.identifier)
    if known is not None and len(known.modules) > 1:
        with at_place(place):
            refuse_other_size(
                known,
                detector,
                "give the serial of the detector that took these data with --serial.",
            )
        return Split(index, known)
    try:
        return modules_of(
            registry, detector, index, serial=serial, header=header, halves=halves, place=place
        )
    except LayoutError as error:
        if error.code != "ambiguous-layout":
            raise
        raise LayoutError(
            error.code,
            error.problem,
            place=error.place,
            remedy=f"register the detector first: calib detector add {name or 'SERIAL'} --layout "
            "NAME.",
        ) from error


def modules_of(
    registry: Registry,
    detector: Detector,
    index: int,
    *,
    layout: str | None = None,
    serial: str | None = None,
    header: ImageHeader | None = None,
    halves: bool = False,
    place: str = "",
) -> Split:
    """The modules of a detector that is described as one panel.

    Those that the ``header`` of an image describes, or as ``Registry.recognise`` says, unless
    ``layout`` names them. Raises ``LayoutError`` where they are not recognised, have another size,
    or are a single module.
    """
    panel = detector.panels[0]
    with at_place(place):
        if layout is None:
            known = recognised(
                registry, panel, header, text=detector.identifier, serial=serial or ""
            )
        else:
            known = registry.get(layout)
            refuse_other_size(
                known, detector, "leave out --layout, or name another (calib layout list)."
            )
        if halves:
            known = known.in_halves()
        if len(known.modules) == 1:
            raise LayoutError(
                "one-module",
                f"a {known.name} is a single module, so there are no panels to calibrate.",
            )
    return Split(index, known, halves)


def recognised(
    registry: Registry,
    panel: PanelShape,
    header: ImageHeader | None,
    *,
    text: str = "",
    serial: str = "",
) -> KnownDetector:
    """The detector whose image is a panel, from what its file states (``text``), or else the header
    of an image. Raises what ``Registry.recognise`` raises."""
    found = serial or serial_from(text) or ""
    if header is None or header.size_px != panel.size_px:
        return registry.recognise(panel.size_px, panel.pixel_mm, text=text, serial=found)
    described = header.modules
    if described is not None:
        return registry.with_modules(described, panel.pixel_mm[0], header.model)
    return registry.recognise(
        panel.size_px,
        panel.pixel_mm,
        text=text or header.model,
        serial=found or header.serial or "",
        roi_mode=header.roi_mode,
    )


def merged_pose(
    registry: Registry,
    detector: Detector,
    index: int,
    *,
    layout: str | None = None,
    drop_correction: bool = False,
    place: str = "",
) -> Split:
    """The layout and pose of a detector of several panels that are to become one.

    Raises ``LayoutError`` where they are not the modules of a known flat detector, or not at their
    nominal positions and ``drop_correction`` is not set.
    """
    with at_place(place):
        if layout is None:
            known = registry.of_panels(layout_of(detector)[0], detector.identifier)
        else:
            known = registry.get(layout)
            if len(known.modules) == 2 * len(detector.panels):
                known = known.in_halves()
        if known is None:
            raise LayoutError(
                "unknown-layout",
                f"the {len(detector.panels)} panels are not the modules of a known flat detector.",
                remedy="make its modules known with calib layout add (docs/reference/layouts.md).",
            )
        pose = locate_detector(known.layout(), detector, [])
        if pose.correction is None and not drop_correction:
            raise LayoutError(
                "corrected-panels",
                f"the panels are up to {1e3 * pose.residual_mm:.0f} um from their nominal "
                f"positions in a {known.name}, and one panel cannot keep this.",
                remedy="use --drop-correction to give it up.",
            )
    return Split(index, known, pose=pose)


@contextmanager
def at_place(place: str) -> Iterator[None]:
    """Name the file in a ``LayoutError``."""
    try:
        yield
    except LayoutError as error:
        raise LayoutError(error.code, error.problem, place=place, remedy=error.remedy) from error


def refuse_other_size(known: KnownDetector, detector: Detector, remedy: str) -> None:
    """Raise ``LayoutError`` where the only panel of a detector is not the image of ``known``."""
    panel, size = detector.panels[0], known.modules.size_px
    if panel.size_px == size and known.has_pixel(panel.pixel_mm):
        return
    raise LayoutError(
        "other-layout",
        f"the panel has {panel.size_px[0]} x {panel.size_px[1]} pixels of {panel.pixel_mm[0]:g} "
        f"mm, but a {known.name} has {size[0]} x {size[1]} of {known.pixel_mm:g} mm.",
        remedy=remedy,
    )
