"""Worker process that holds datasets for a ``ProcessExecutor`` and applies operations to them.

Started as ``python -m calib.solve.parallel.worker DESCRIPTOR``, where DESCRIPTOR is that of a
socket to the process that started it. It ends when that socket closes or that process ends, even
during an operation.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

_LOOK_EVERY_S = 0.5


def main() -> None:
    """Answer requests until the connection closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent process
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    connection = Connection(int(sys.argv[1]))
    items: dict[tuple[int, int], Any] = {}
    while True:
        try:
            action, *message = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer = _done(items, action, message)
            good = True
        except Exception as error:
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
            answer, good = error, False
        try:
            connection.send((good, answer))
        except OSError:
            return


def _done(items: dict[tuple[int, int], Any], action: str, message: list[Any]) -> Any:
    if action == "load":
        number, loader = message
        found = loader()
        items.update({(number, k): item for k, item in enumerate(found)})
        return len(found)
    if action == "drop":
        items.pop(message[0], None)
        return None
    key, operation, arguments = message
    items[key], answer = operation(items[key], *arguments)
    return answer


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)


if __name__ == "__main__":
    main()
