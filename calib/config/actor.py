"""The actor of a change: the name given, else that of the settings, else the login name."""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import datetime

from calib.config import settings
from calib.model.base.text import checked_name
from calib.model.store.record import ChangeStamp


@dataclass(frozen=True, slots=True)
class Actor:
    """A person or program that makes changes."""

    name: str
    personal: bool
    """Whether the name was given for this person: login names and the machine's settings may be
    shared by several people."""
    command: str = ""
    """The command line, with passwords hidden; empty outside the command line program."""

    def stamp(self, now: datetime) -> ChangeStamp:
        """The record of who makes a change, when and on which host."""
        return ChangeStamp(now, self.name, socket.gethostname(), self.command)


def chosen_actor(by: str | None, command: str = "") -> Actor:
    """The actor named by ``by``, else by the settings (``CALIB_ACTOR`` among them), else the login
    name.

    Raises ``InputError`` for a name that cannot be stored.
    """
    given = (by or "").strip()
    setting = settings.read_settings().all["actor"]
    name = given or setting.value or login_name()
    checked_name(name, "the name of the actor")
    personal = bool(given) or setting.origin not in ("default", str(settings.SYSTEM))
    return Actor(name, personal, command)


def login_name() -> str:
    """The login name of this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without an entry, as in some containers
        return f"user {os.getuid()}"
