"""A small MTZ file."""

from __future__ import annotations

from pathlib import Path

import gemmi
import numpy as np


def write_mtz(path: Path) -> None:
    """Write an MTZ file with one reflection."""
    made = gemmi.Mtz(with_base=True)
    made.spacegroup = gemmi.SpaceGroup("P 1")
    made.set_data(np.array([[1.0, 2.0, 3.0]]))
    made.write_to_file(str(path))
