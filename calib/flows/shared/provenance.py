"""The provenance of a derivation: the machine and software, and the paths of input files."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from calib.files.atomic import file_sha256
from calib.model.experiment.dataset import Dataset
from calib.model.store.provenance import Environment, Provenance

_CPU_INFO = Path("/proc/cpuinfo")
_MAPPED = Path("/proc/self/maps")
"""The libraries that this process has loaded."""
_CORE_NAMES = tuple(
    f"{prefix}openblas_get_corename{suffix}" for prefix in ("scipy_", "") for suffix in ("64_", "")
)
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def this_environment() -> Environment:
    """The software and processor that results may depend on."""
    import scipy  # what applies calibrations needs none

    return Environment(
        python=platform.python_version(),
        numpy=np.__version__,
        scipy=scipy.__version__,
        blas=_blas(),
        processor=_processor(),
        threads=_threads(),
        platform=platform.platform(),
    )


def _blas() -> str:
    try:
        found = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
        return " ".join((found["name"], found["version"], *_kernel()))
    except (TypeError, KeyError):  # numpy before 1.25 prints it only
        return " ".join(("unknown", *_kernel()))


def _kernel() -> tuple[str, ...]:
    """The name of the kernel that OpenBLAS chose for this processor; empty for other libraries."""
    try:
        mapped = _MAPPED.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    paths = sorted({line.split(maxsplit=5)[-1] for line in mapped if "openblas" in line})
    for path in paths:
        try:
            library = ctypes.CDLL(path)
        except OSError:  # removed since it was loaded
            continue
        for name in _CORE_NAMES:
            if hasattr(library, name):
                core = getattr(library, name)
                core.argtypes, core.restype = (), ctypes.c_char_p
                return ((core() or b"").decode("ascii", "replace"),)
    return ()


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
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    return os.cpu_count() or 1


def provenance_of(
    paths: Sequence[Path], datasets: Sequence[Dataset], parent: str | None = None
) -> Provenance:
    """This machine, and the files of the datasets among ``paths``."""
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    found = {}
    for data in datasets:
        for name, sha256 in zip(data.source.names, data.source.sha256, strict=True):
            places = by_name.get(name, [])
            # A name found in several folders is ambiguous: then compare the hashes.
            for path in places:
                if len(places) == 1 or file_sha256(path) == sha256:
                    # Names of folders need not be UTF-8.
                    found[sha256] = os.fsencode(path.absolute()).decode("utf-8", "replace")
    return Provenance(this_environment(), dict(sorted(found.items())), parent)
