"""The process that reads HDF5 files for another one: ``python -m ... FILE_DESCRIPTOR``."""

from __future__ import annotations

import json
import math
import os
import resource
import socket
import sys
from pathlib import Path

from calib.errors import CalibError
from calib.files.hdf5_process import ERROR, IMAGE, READY, SECONDS, receive, send

_MORE_MEMORY = 2**30
"""Bytes that reading may take."""


def main(descriptor: int) -> None:
    """Answer requests until the other process ends."""
    with socket.socket(fileno=descriptor) as connection:
        import h5py  # noqa: F401 - before the limits, and before the time is counted

        _limit_process()
        send(connection, READY, b"", None)
        while True:
            try:
                kind, content = receive(connection, None)
            except ConnectionError:
                return
            _limit_time()
            try:
                answer = _answer(kind, content)
            except CalibError as error:
                kind, answer = ERROR, json.dumps([error.code, error.problem, error.remedy]).encode()
            send(connection, kind, answer, None)


def _answer(kind: bytes, content: bytes) -> bytes:
    if kind == IMAGE:
        from calib.files.images.nexus import nexus_values

        return json.dumps(nexus_values(os.fsdecode(content))).encode()
    from calib.files.native.summary import summary_bytes
    from calib.files.native.summary_hdf5 import parsed_hdf5

    return summary_bytes(parsed_hdf5(content, ""))


def _limit_process() -> None:
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        _limit(resource.RLIMIT_AS, pages * os.sysconf("SC_PAGE_SIZE") + _MORE_MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)


def _limit_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + SECONDS)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or seconds < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, hard))


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


if __name__ == "__main__":
    main(int(sys.argv[1]))
