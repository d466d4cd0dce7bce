"""A store that a group shares: the group and the permissions of its folder and files.

A folder with the setgid bit and write permission for its group is shared: new files in it belong to
its group. SQLite gives the log, its index and the journal the permissions of the database, whatever
the umask of the user, so that only those of the database must be set.
"""

from __future__ import annotations

import grp
import os
import shlex
import stat
from pathlib import Path

from calib.config.location import Location
from calib.errors import InputError, StoreError

_SHARED = stat.S_ISGID | stat.S_IRWXG
_GROUP = stat.S_IRGRP | stat.S_IWGRP


def is_shared(folder: Path) -> bool:
    """Whether the members of the folder's group may all write to its files."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISGID and mode & stat.S_IWGRP)


def share(location: Location, group: str) -> None:
    """Prepare the folder of a store for a group, and the files of the store that exist.

    The folder is created if it does not exist. Raises ``InputError``: ``no-group``,
    ``not-a-member``, ``folder-in-use`` for a folder with other files, which the group could then
    delete, and ``bad-use`` for a server; ``StoreError`` (``not-shared``) where it is not this
    user's.
    """
    if location.path is None:
        raise InputError(
            "bad-use",
            "--shared is for a store in a file; on a server, grants share it.",
            place=location.shown,
            remedy="see docs/how-to/postgres.md.",
        )
    number = _number_of(group)
    folder = Path(os.path.realpath(location.path)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _share_folder(folder, group, number, {path.name for path in location.files})
        for path in location.real_files:
            if path.exists():
                os.chown(path, -1, number)
                share_file(path)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        owned = " ".join(shlex.quote(str(path)) for path in (folder, *_existing(location)))
        raise StoreError(
            "not-shared",
            f"it cannot be given to the group {group}: {error.strerror or error}.",
            place=str(error.filename or folder),
            remedy=f"ask its owner to run: chgrp {group} {owned} && chmod g+rwxs "
            f"{shlex.quote(str(folder))}",
        ) from None


def share_file(path: Path) -> None:
    """Let the group of a file in a shared folder read and write it, and others read it if they may
    enter the folder."""
    folder = path.parent.stat()
    mode = stat.S_IMODE(path.stat().st_mode) | _GROUP
    mode = mode | stat.S_IROTH if folder.st_mode & stat.S_IXOTH else mode & ~stat.S_IRWXO
    if path.stat().st_gid != folder.st_gid:
        os.chown(path, -1, folder.st_gid)
    path.chmod(mode)


def unshared(location: Location) -> list[Path]:
    """The files of a store in a shared folder that its group may not read and write.

    Where the database is one of them, it alone: the others follow it and are made again.
    """
    folder = Path(os.path.realpath(str(location.path))).parent
    if not is_shared(folder):
        return []
    number = folder.stat().st_gid
    closed = [
        path
        for path in _existing(location)
        if path.stat().st_gid != number or path.stat().st_mode & _GROUP != _GROUP
    ]
    database = location.real_files[0]
    return [database] if database in closed else closed


def group_of(folder: Path) -> str:
    """The name of a folder's group, or its number where it has none."""
    number = folder.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _existing(location: Location) -> list[Path]:
    return [path for path in location.real_files if path.exists()]


def _number_of(group: str) -> int:
    try:
        number = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError:
        raise InputError(
            "no-group",
            f"there is no group {group!r}.",
            remedy="give one of those that the command groups prints.",
        ) from None
    if os.geteuid() != 0 and number not in (os.getegid(), *os.getgroups()):
        raise InputError(
            "not-a-member",
            f"you do not belong to the group {group}.",
            remedy="give one of those that the command groups prints; a new membership begins with "
            "the next login.",
        )
    return number


def _share_folder(folder: Path, group: str, number: int, own: set[str]) -> None:
    status = folder.stat()
    if status.st_gid == number and status.st_mode & _SHARED == _SHARED:
        return
    if any(path.name not in own for path in folder.iterdir()):
        raise InputError(
            "folder-in-use",
            f"the folder contains other files, which the group {group} could then delete.",
            place=str(folder),
            remedy="name a store in a new folder.",
        )
    os.chown(folder, -1, number)
    folder.chmod(stat.S_IMODE(status.st_mode) | _SHARED)
