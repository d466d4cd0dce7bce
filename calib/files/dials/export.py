"""A calibrated detector as a reference geometry for ``dials.import``."""

from __future__ import annotations

from calib.files.dials.expt_write import reference_geometry_bytes
from calib.files.kinds import EXPERIMENTS
from calib.model.experiment.calibrated_detector import CalibratedDetector


class DialsGeometry:
    """A reference geometry, from which DIALS takes the whole detector."""

    hint = (
        "Use it with dials.import reference_geometry={output} "
        "use_beam_reference=False use_gonio_reference=False"
    )

    kind = EXPERIMENTS

    def to_bytes(self, calibrated: CalibratedDetector) -> bytes:
        """The content of the file; DIALS keeps the images' own beam where the hint is followed."""
        return reference_geometry_bytes(calibrated.detector, calibrated.beam)
