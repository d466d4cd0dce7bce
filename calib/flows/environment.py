"""The machine that derives: what is kept beside a calibration."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numpy as np

from calib.model.provenance import Environment

_CPU_INFO = Path("/proc/cpuinfo")
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def this_environment() -> Environment:
    """What results may depend on here."""
    return Environment(
        python=platform.python_version(),
        numpy=np.__version__,
        scipy="",
        blas=_blas(),
        processor=_processor(),
        threads=_threads(),
        platform=platform.platform(),
    )


def _blas() -> str:
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return f"{found['name']} {found['version']}"
    except (TypeError, KeyError):  # numpy before 1.25 prints it only
        return "unknown"


def _processor() -> str:
    try:
        for line in _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines():
            label, _, value = line.partition(":")
            if label.strip() in ("model name", "Model"):
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _threads() -> int:
    for name in _THREADS:
        said = os.environ.get(name, "")
        if said.isdigit() and int(said) > 0:
            return int(said)
    return os.cpu_count() or 1
