"""Reading of HDF5 by another process, with limits of time and memory.

The HDF5 library hangs or crashes on some damaged or hostile files. One process reads all HDF5 files
of this one (``hdf5_worker``): it returns a summary in the current format, or the header of an image
as JSON. It is started when it is first needed, and started again after a file that ended it.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from calib.errors import FileFormatError, StoreError

SECONDS = 5.0
"""Limit of the time that reading one file may take."""
SUMMARY, IMAGE, ERROR, READY = b"s", b"i", b"e", b"r"
"""Kinds of messages: the bytes of a summary, the path of an image, and two of the worker only."""
HEAD = struct.Struct("<cQ")
"""Of a message: its kind and its length in bytes."""
LARGEST = 2**28
"""Bytes of a file or of its answer."""
_START_SECONDS = 60.0


class Hdf5UnreadableError(Exception):
    """The HDF5 library did not come to an end, or crashed; ``problem`` states which."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def answered(kind: bytes, content: bytes, place: str) -> bytes:
    """The answer of the worker to a message: the bytes of a summary, or JSON.

    Raises ``FileFormatError`` as the worker does, with ``place``; ``Hdf5UnreadableError`` where
    the HDF5 library does not read the file within the limits, and ``StoreError`` where the worker
    cannot be started.
    """
    return _WORKER.answered(kind, content, place)


class _Worker:
    """The process that reads HDF5 files, at most one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._parent = 0
        self._n_read = 0

    def answered(self, kind: bytes, content: bytes, place: str) -> bytes:
        """See ``answered``."""
        with self._lock:
            while True:
                connection = self._running()
                fresh, self._n_read = self._n_read == 0, self._n_read + 1
                try:
                    return self._asked(connection, kind, content, place)
                except TimeoutError as error:
                    self._stop()
                    raise _too_long() from error
                except ConnectionError as error:
                    if self._stop() == -signal.SIGXCPU:
                        raise _too_long() from error
                    # An earlier file may have left the library in a bad state.
                    if fresh:
                        raise _unreadable("crashed") from error
                except FileFormatError:
                    raise
                except BaseException:
                    self._stop()  # an interrupt may have left half a message
                    raise

    def close(self) -> None:
        """End the process, if one was started by this one."""
        with self._lock:
            if self._parent == os.getpid():
                self._stop()

    def _running(self) -> socket.socket:
        if self._parent != os.getpid():  # a process of the parent of a fork is not ours
            self._process = self._socket = None
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._socket is None:
            self._start()
        assert self._socket is not None  # noqa: S101 - just started
        return self._socket

    def _start(self) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HDF5_")
        }
        environment |= {
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OPENBLAS_NUM_THREADS": "1",
            "HDF5_PLUGIN_PRELOAD": "::",  # no filters from shared libraries
        }
        ours, theirs = socket.socketpair()
        self._parent, self._n_read, self._socket = os.getpid(), 0, ours
        module = "calib.files.hdf5_worker"
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter, a module of ours
                    [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=environment,
                    start_new_session=True,  # Ctrl-C in a terminal is not for it
                )
            receive(ours, time.monotonic() + _START_SECONDS)  # that it is ready
        except OSError as error:
            self._stop()
            raise StoreError(
                "hdf5-reader-failed",
                f"the process that reads HDF5 files could not be started ({error}).",
                remedy="calib doctor.",
            ) from error
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> int | None:
        """End the process; returns the code that it had ended with, or -SIGKILL."""
        code = None
        if self._process is not None:
            self._process.kill()
            code = self._process.wait()
        if self._socket is not None:
            self._socket.close()
        self._process = self._socket = None
        return code

    def _asked(self, connection: socket.socket, kind: bytes, content: bytes, place: str) -> bytes:
        deadline = time.monotonic() + SECONDS
        send(connection, kind, content, deadline)
        outcome, answer = receive(connection, deadline)
        if outcome != ERROR:
            return answer
        code, problem, remedy = json.loads(answer)
        raise FileFormatError(code, problem, place=place, remedy=remedy)


def send(connection: socket.socket, kind: bytes, content: bytes, deadline: float | None) -> None:
    """Send one message; raises ``TimeoutError`` and ``ConnectionError``."""
    for piece in (HEAD.pack(kind, len(content)), content):
        _limit(connection, deadline)
        connection.sendall(piece)


def receive(connection: socket.socket, deadline: float | None) -> tuple[bytes, bytes]:
    """The kind and the content of one message; raises ``TimeoutError`` and ``ConnectionError``."""
    kind, length = HEAD.unpack(_received(connection, HEAD.size, deadline))
    if length > LARGEST:
        raise ConnectionError(length)
    return kind, _received(connection, length, deadline)


def _received(connection: socket.socket, length: int, deadline: float | None) -> bytes:
    out = bytearray(length)
    view = memoryview(out)
    while view:
        _limit(connection, deadline)
        n = connection.recv_into(view)
        if n == 0:
            raise ConnectionError("the other process has ended")
        view = view[n:]
    return bytes(out)


def _limit(connection: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _too_long() -> Hdf5UnreadableError:
    return _unreadable(f"did not come to an end within {SECONDS:.0f} s")


def _unreadable(what: str) -> Hdf5UnreadableError:
    return Hdf5UnreadableError(f"the HDF5 library {what} when reading it.")


_WORKER = _Worker()
atexit.register(_WORKER.close)
