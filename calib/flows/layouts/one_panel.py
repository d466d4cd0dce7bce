"""Detectors of one panel in ``calib apply``: split into modules, or with ideal positions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from calib.errors import InputError
from calib.files.atomic import write_safely
from calib.files.exchange.history import HistoryLine
from calib.files.kinds import EXPERIMENTS, REFLECTIONS
from calib.files.reader import DataFiles, ExperimentFile, read_data
from calib.flows.layouts.split import detector_of, dials_reads_modules, left_out
from calib.flows.shared.identity import chosen_detectors
from calib.flows.shared.images import ImagePlaces, Images, images_in
from calib.flows.shared.modules import Split, one_panel_was_split, registered_modules
from calib.model.store.protocol import StoreLike


class OnePanel(StrEnum):
    """What to do with a detector that is described as one panel."""

    PANELS = "panels"
    """Split it into its modules, and correct these."""
    POSITIONS = "positions"
    """Keep the panel, and move observed positions to where an ideal detector would see them."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Experiments whose detectors have several panels."""

    data: DataFiles
    """The files to be corrected: split ones or, with ``positions``, those given."""
    file: ExperimentFile
    """The experiments, in which no detector has one panel."""
    images: Images
    """Those of the files given."""
    split: tuple[Split, ...]
    """The detectors that have one panel in the files given."""
    positions: bool
    """Whether positions are to be moved, and not panels."""
    notices: tuple[str, ...]
    history: tuple[HistoryLine, ...] = ()
    """What to add to the history of the experiments."""


@contextmanager
def prepared(
    data: DataFiles,
    store: StoreLike,
    places: ImagePlaces,
    *,
    serial: str | None,
    route: OnePanel | None,
) -> Iterator[Prepared]:
    """The files with each detector of one panel split into its modules, while this is open.

    Without ``route`` a detector is split only if DIALS can read its images as modules. Raises
    ``InputError`` (``one-panel``) where it cannot, and what ``registered_modules`` raises.
    """
    models, place = data.file.experiments, str(data.experiment_path)
    images = images_in(data.file, data.experiment_path, places)
    chosen = chosen_detectors(models, serial, place=place)
    alone = [k for k in models.one_panel_detectors if k in chosen]
    if not alone:
        yield Prepared(data, data.file, images, (), False, images.notices)
        return
    found = tuple(
        registered_modules(models.detectors[k], k, store, serial, images.header(k), place=place)
        for k in alone
    )
    if route is None:
        for one in found:
            if not dials_reads_modules(one, data.file):
                raise _unreadable(one, place)
    maps = {one.index: one.known.modules for one in found}
    file = data.file.split(maps)
    if route is OnePanel.POSITIONS:
        if data.reflection_path is None:
            raise InputError(
                "no-reflections",
                "only observed positions are corrected, but no reflections are given.",
                place=place,
                remedy="add the .refl file, or use --as panels.",
            )
        yield Prepared(data, file, images, found, True, (*images.notices, _POSITIONS_HELP))
        return
    notices = [*images.notices, f"{one_panel_was_split(found)}."]
    with TemporaryDirectory(prefix="calib-") as folder:
        paths = [Path(folder) / f"{data.file.stem}.expt"]
        write_safely(paths[0], file.data, EXPERIMENTS)
        if data.reflection_path is not None:
            paths.append(Path(folder) / f"{data.file.stem}.refl")
            moved = data.split(maps, detector_of(data), with_shoeboxes=True)
            write_safely(paths[1], moved.write, REFLECTIONS)
            notices += left_out(moved)
        (split,) = read_data(paths, need_reflections=len(paths) > 1)
        yield Prepared(split, split.file, images, found, False, tuple(notices))


_POSITIONS_HELP = (
    "the panel is kept, and observed positions are those of an ideal detector: this helps indexing "
    "and refinement, but integration still predicts on uncorrected modules."
)


def _unreadable(one: Split, place: str) -> InputError:
    return InputError(
        "one-panel",
        f"the detector is described as one panel, and DIALS cannot read its images as the modules "
        f"of a {one.known.name}: dials.find_spots and dials.integrate would stop.",
        place=place,
        remedy="use --as panels to index and refine with the modules, or --as positions to keep "
        "the panel and correct observed positions.",
    )
