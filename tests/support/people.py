"""Another user, for tests that run as root."""

from __future__ import annotations

import ctypes
import os

NOBODY = 65534
_KEEP_CAPABILITIES = 8
_CAPABILITY_VERSION_3 = 0x20080522
_READ_ANYTHING = 1 << 2  # CAP_DAC_READ_SEARCH


def become_another_user(user: int = NOBODY, groups: tuple[int, ...] = ()) -> None:
    """From here on this process may read everything, as a colleague in the same group might,
    and write nothing but its own; nothing happens where the process is not root's.

    The right to read is kept because the interpreter may lie below a folder of root's own, and
    modules are still to be imported from there.
    """
    if os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_KEEP_CAPABILITIES, 1, 0, 0, 0)
    os.setgroups(groups)
    os.setgid(user)
    os.setuid(user)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, low words first, then high words.
    data = (ctypes.c_uint32 * 6)(_READ_ANYTHING, _READ_ANYTHING, 0, 0, 0, 0)
    if libc.capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")
