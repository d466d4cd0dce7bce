"""Inputs given to a reader in a process of its own, which may hang or crash."""

from __future__ import annotations

import os
import resource
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from calib.errors import CalibError

MEMORY_BYTES = 2 * 2**30
LIMIT_S = 10.0
_START_S = 120.0
"""For the process to start on a busy machine."""
Reader = Callable[[bytes], str]
"""Reads an input; returns the id of what was read. Defined in a module of ``support``."""
READ, REFUSED, HUNG, CRASHED, FAILED = "read", "refused", "hung", "crashed", "failed"


def outcomes(
    reader: Reader, inputs: Sequence[bytes], limit_s: float = LIMIT_S
) -> Iterator[tuple[str, str]]:
    """For each input what became of it: ``READ`` and the id, ``REFUSED`` and the code of the
    error, or ``HUNG``, ``CRASHED`` or ``FAILED`` and how."""
    done = 0
    while done < len(inputs):
        process, connection = _start(reader, inputs[done:])
        try:
            while done < len(inputs):
                if not _answered(process, connection, limit_s):
                    yield HUNG, f"for {limit_s} s"
                    done += 1
                    break
                try:
                    outcome = connection.recv()
                except EOFError:
                    process.join()
                    yield CRASHED, f"with exit {process.exitcode}"
                    done += 1
                    break
                yield outcome
                done += 1
        finally:
            process.kill()
            process.join()
            process.close()
            connection.close()


def _answered(process: BaseProcess, connection: Connection, limit_s: float) -> bool:
    """Whether an outcome comes within the limit; on a busy machine a process that wants to compute
    is waited for until it has computed for so long."""
    begun = _computed_s(process)[1]
    while not connection.poll(limit_s):
        waits, computed_s = _computed_s(process)
        if waits or computed_s - begun > limit_s:
            return False
    return True


def _computed_s(process: BaseProcess) -> tuple[bool, float]:
    """Whether a process waits for something, and the CPU time that it has taken."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return True, 0.0
    return fields[0] != "R", (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start(reader: Reader, inputs: Sequence[bytes]) -> tuple[BaseProcess, Connection]:
    context = get_context("forkserver")
    context.set_forkserver_preload(
        ["support.readers", "support.hostile_files", "support.hostile_images"]
    )
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read_all, args=(reader, inputs, theirs), daemon=True)
    process.start()
    theirs.close()
    if not ours.poll(_START_S):
        raise TimeoutError
    assert ours.recv() == "started"
    return process, ours


def _read_all(reader: Reader, inputs: Sequence[bytes], connection: Connection) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = max(MEMORY_BYTES, pages * resource.getpagesize() + 2**29)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("started")
    for content in inputs:
        connection.send(_outcome(reader, content))


def _outcome(reader: Reader, content: bytes) -> tuple[str, str]:
    try:
        return READ, reader(content)
    except CalibError as error:
        return (REFUSED, error.code) if error.exit_code == 2 else (FAILED, str(error))
    except BaseException:  # whatever it is, it would be a traceback for a user
        return FAILED, traceback.format_exc()
