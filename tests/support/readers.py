"""Readers for ``support.isolated``, which a process that it starts can import."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import numpy as np

from calib.errors import FileFormatError
from calib.files.native.summary import summary_from_bytes
from calib.model.detector.correction import Freedom
from calib.model.detector.families import known_layout
from calib.solve.prior import PanelPrior
from calib.solve.summaries import solve_summaries


def summary_checksum(content: bytes) -> str:
    """The checksum of a summary."""
    return summary_from_bytes(content, "x.npz").checksum


def solved_summary(content: bytes) -> str:
    """The checksum of a summary of a PILATUS 1M, from which a calibration was solved."""
    summary = summary_from_bytes(content, "x.npz")
    layout = known_layout("PILATUS 1M")
    with suppress(np.linalg.LinAlgError):  # flows name it (flows.shared.results.solver_errors)
        solve_summaries([summary.statement], layout, Freedom.IN_PLANE, PanelPrior())
    return summary.checksum


def misbehaving(content: bytes) -> str:
    """Does what the input says: hang, crash, fail or refuse."""
    match content:
        case b"hang":
            time.sleep(600)
        case b"crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"fail":
            raise KeyError(content)
        case b"refuse":
            raise FileFormatError("odd", "refused.")
    return content.decode()
