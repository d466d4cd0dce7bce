"""Benchmark of ``calib identify``: headers of images per second."""

from __future__ import annotations

import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from calib.files import hdf5_process
from calib.flows.images.identify import Identification, IdentifyRequest
from calib.model.detector.families import known_layout
from calib.model.store.record import ChangeStamp, DetectorRecord
from calib.store.store import Store
from support.images import HEADER, master, mini_cbf

N_CBF, N_MASTERS = 1000, 200
ALLOWED = {"CBF": 500, "master": 100}
"""Headers per second at least."""
_PIXELS = 6_000_000
"""Bytes behind each CBF header, as in an image of a PILATUS 6M."""
_START = datetime(2026, 3, 1, tzinfo=UTC)
_NOW = datetime(2026, 6, 1, tzinfo=UTC)


def section() -> list[str]:
    """Run the benchmark; returns lines of Markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = _images(folder)
        masters = [master(folder / f"{k}_master.h5") for k in range(N_MASTERS)]
        Store.create(folder / "calib.sqlite")
        with Store.open(folder / "calib.sqlite") as store:
            stamp = ChangeStamp(_NOW, "bench", "bench")
            for serial, model in (("3-0999", "PILATUS 300K"), ("E-08-0999", "EIGER2 4M")):
                store.detectors.add(DetectorRecord(serial, known_layout(model), "UTC", ""), stamp)
            found = {"CBF": _rates(store, images), "master": _rates(store, masters)}
    lines = [
        f"{N_CBF} uncompressed CBF images and {N_MASTERS} masters in a cached folder, identified "
        "in one process: headers read, detectors looked up, calibrations resolved. The first "
        "master starts the process that reads HDF5, which is not counted.",
        "",
        "| image | per second | per CPU second | at least |",
        "|---|---|---|---|",
    ]
    return lines + [
        f"| {kind} | {wall:.0f} | {cpu:.0f} | {ALLOWED[kind]} |"
        for kind, (wall, cpu) in found.items()
    ]


def _images(folder: Path) -> list[Path]:
    out = []
    for k in range(N_CBF):
        taken = (_START + timedelta(seconds=k)).replace(tzinfo=None).isoformat()
        path = folder / f"th_{k:04}.cbf"
        head = mini_cbf(time=taken, model=HEADER["model"])
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + _PIXELS)  # a hole: the header is all that is read
        out.append(path)
    return out


def _rates(store: Store, paths: list[Path]) -> tuple[float, float]:
    """Files identified per second, and per CPU second; the first one not counted."""
    identification = Identification(IdentifyRequest(), store, _NOW)
    identification.of(paths[0])
    begun, used = time.perf_counter(), _cpu_s()
    for path in paths[1:]:
        identification.of(path)
    n = len(paths) - 1
    return n / (time.perf_counter() - begun), n / (_cpu_s() - used)


def _cpu_s() -> float:
    """CPU seconds of this process and of the one that reads HDF5."""
    own, worker = time.process_time(), hdf5_process._WORKER._process
    if worker is None:
        return own
    fields = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
