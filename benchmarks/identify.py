"""Benchmark of ``calib identify``: headers of images per second."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
            found = {"CBF": _rate(store, images), "master": _rate(store, masters)}
    lines = [
        f"{N_CBF} uncompressed CBF images and {N_MASTERS} masters in a cached folder, identified "
        "in one process: headers read, detectors looked up, calibrations resolved. The first "
        "master starts the process that reads HDF5, which is not counted.",
        "",
        "| image | per second | at least |",
        "|---|---|---|",
    ]
    lines += [f"| {kind} | {rate:.0f} | {ALLOWED[kind]} |" for kind, rate in found.items()]
    return lines


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


def _rate(store: Store, paths: list[Path]) -> float:
    """Files identified per second, the first one not counted."""
    identification = Identification(IdentifyRequest(), store, _NOW)
    identification.of(paths[0])
    begun = time.perf_counter()
    for path in paths[1:]:
        identification.of(path)
    return (len(paths) - 1) / (time.perf_counter() - begun)
