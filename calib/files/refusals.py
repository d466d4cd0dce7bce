"""Errors that the readers of all formats raise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calib.errors import InputError

if TYPE_CHECKING:
    from calib.model.experiment.dataset import Apart
    from calib.model.experiment.experiment import Detector

TOGETHER = "give the .expt and .refl files that were written together."


def disagreement(apart: Apart, expt: object, refl: object) -> InputError:
    """The error for reflections ``refl`` that lie nowhere near their experiments ``expt``."""
    return InputError(
        "files-disagree",
        f"the reflections in {refl} do not fit the experiments in {expt}: half of them lie more "
        f"than {apart.share:.0%} of their scattering vector from where their Miller index places "
        "them.",
        remedy=TOGETHER,
    )


def refuse_one_panel(detector: Detector, place: str) -> None:
    """Raise ``InputError`` for a detector that has one panel only, which cannot be calibrated."""
    if len(detector.panels) > 1:
        return
    fast, slow = detector.panels[0].size_px
    raise InputError(
        "one-panel",
        f"the detector is described as one panel of {fast} x {slow} pixels; it must be split into "
        "its modules first.",
        place=place,
        remedy="use calib split, and give the files that it writes.",
    )
