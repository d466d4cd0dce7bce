"""The file system of a path: SQLite's write-ahead log needs shared memory, which network file
systems do not provide."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The kernel's list of mounts (Linux; its fields are described in proc(5))."""
NETWORK = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "coda", "9p", "virtiofs"),
        *("lustre", "gpfs", "beegfs", "fhgfs", "ceph", "glusterfs", "panfs", "wekafs", "pvfs2"),
        *("orangefs", "ocfs2", "gfs", "gfs2", "afpfs", "webdav", "vboxsf", "prl_fs", "vmhgfs"),
        *("fuse.sshfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.s3fs"),
        *("fuse.davfs", "fuse.rclone", "fuse.juicefs", "fuse.cvmfs2", "fuse.smbnetfs", "fuse.afs"),
        *("fuse.mfs", "fuse.moosefs", "fuse.vmhgfs-fuse", "fuse.gcsfuse", "fuse.curlftpfs"),
    }
)
"""Kernel names of file systems that several machines can mount at once."""
_PROBE = 64 * 1024
"""Bytes; more than the 32 KiB that the index of a write-ahead log takes at least."""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """Kernel name of the file system of a path; empty if it is not known.

    ``mounts`` is the content of ``/proc/self/mountinfo``, which is read if None is given. The path
    need not exist; links are resolved.
    """
    if mounts is None:
        try:
            mounts = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return ""
    resolved = os.path.realpath(path)
    longest, found = "", ""
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields, kinds = before.split(" "), after.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        # The last mount on a mount point hides earlier ones.
        if len(point) >= len(longest) and _is_below(resolved, point):
            longest, found = point, kinds[0]
    return found


def network_file_system(path: Path, mounts: str | None = None) -> str:
    """Kernel name of the network file system of a path; empty if it is local."""
    found = file_system_of(path, mounts)
    return found if found in NETWORK else ""


def disk_is_full(folder: Path) -> bool:
    """Whether a folder takes no more data, since the disk is full or this user's quota on it; tried
    with a file without a name. False where the user may not write there."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return False


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point if point.endswith("/") else f"{point}/")
