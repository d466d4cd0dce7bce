"""A calibrated detector as a reference geometry for ``dials.import``."""

from __future__ import annotations

from calib.files.dials.expt_write import reference_geometry_bytes
from calib.model.experiment.experiment import Beam, Detector


class DialsGeometry:
    """A reference geometry, from which DIALS takes the whole detector."""

    hint = (
        "Use it with dials.import reference_geometry={output} "
        "use_beam_reference=False use_gonio_reference=False"
    )

    def geometry(self, detector: Detector, beam: Beam) -> bytes:
        """The file of a detector; DIALS keeps the images' own beam where the hint is followed."""
        return reference_geometry_bytes(detector, beam)
