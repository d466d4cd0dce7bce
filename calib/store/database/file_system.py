"""Which file system a path lies on: SQLite's write-ahead log needs memory that all its users share,
which a file system over a network does not give."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
"""The kernel's list of mounts (Linux; proc(5) says what its fields are)."""
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
"""File systems, by the kernel's name, that several machines can have mounted at once."""
_ESCAPE = re.compile(r"\\([0-7]{3})")


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """The kernel's name of the file system that a path lies on; empty where it is not known.

    ``mounts`` is the content of ``/proc/self/mountinfo``, which is read where None is given. The
    path need not exist; links are followed.
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
        # Of mounts on one point the last hides the others.
        if len(point) >= len(longest) and _is_below(resolved, point):
            longest, found = point, kinds[0]
    return found


def network_file_system(path: Path, mounts: str | None = None) -> str:
    """The name of the network file system that a path lies on; empty where it is a local one."""
    found = file_system_of(path, mounts)
    return found if found in NETWORK else ""


def _is_below(path: str, point: str) -> bool:
    return path == point or path.startswith(point if point.endswith("/") else f"{point}/")
