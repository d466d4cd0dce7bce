"""A calibrated detector as a reference geometry for ``dials.import``.

Everything but the places of the panels is as in the experiments given: tree, names, trusted
range, image offset, gain, pedestal, mask, sensor, strategy, type; beam and goniometer too.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from calib.files.exchange.source import ExportSource
from calib.files.kinds import EXPERIMENTS

_ALONG_X = {
    "rotation_axis": [1.0, 0.0, 0.0],
    "fixed_rotation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
    "setting_rotation": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
}
"""Written for experiments without a goniometer: DIALS 3.12 takes the first goniometer of a
reference whether or not there is one, also with ``use_gonio_reference=False``."""


class DialsGeometry:
    """A reference geometry, from which DIALS takes the whole detector."""

    kind = EXPERIMENTS
    needs_like = (
        "DIALS takes the whole detector from it: trusted range, gain, sensor and the groups of "
        "panels too, which a calibration does not know"
    )

    def hint(self, source: ExportSource, output: Path) -> str:
        """The command that uses the file."""
        several = "multi_panel=True " if source.multi_panel else ""
        text = (
            f"Use it with dials.import {several}reference_geometry={shlex.quote(str(output))} "
            "use_beam_reference=False use_gonio_reference=False"
        )
        if source.was_split and not (source.known and source.known.family.dials_splits):
            text += " (DIALS reads these images as modules only with the plugin calib-dxtbx)"
        return text

    def files(
        self, source: ExportSource, output: Path
    ) -> Sequence[tuple[Path, bytes | Callable[[BinaryIO], None]]]:
        """The content of the file: one experiment without images, scan or crystal."""
        assert source.like is not None  # noqa: S101 - see needs_like
        detector = source.calibrated.detector
        root = detector.lab_from_root
        first = source.like.experiments.experiments[0].detector
        frames = detector.frames if root is None else detector.frames.moved(root.inverse())
        content = json.loads(source.like.with_frames({first: frames}).data)
        given = content["experiment"][0]
        entry: dict[str, Any] = {"__id__": "Experiment", "identifier": ""}
        models: dict[str, list[Any]] = {"imageset": []}
        for key in ("beam", "detector", "goniometer"):
            place = given.get(key)
            models[key] = [_ALONG_X] if place is None else [content[key][place]]
            if place is not None:
                entry[key] = 0
        empty = ("scan", "crystal", "profile", "scaling_model")
        models |= {key: [] for key in empty}
        out = {"__id__": "ExperimentList", "experiment": [entry], **models}
        return [(output, (json.dumps(out, indent=2) + "\n").encode("utf-8"))]
