"""The serial number of a detector, from the identifier of its panels."""

from __future__ import annotations

import re

_SERIAL = re.compile(r"\bS/N[ :]*([A-Za-z0-9][A-Za-z0-9._/-]*)", re.IGNORECASE)


def serial_from(identifier: str) -> str | None:
    """The serial number in a panel identifier, or None.

    ``PILATUS 2M, S/N 24-0107 Diamond`` gives ``24-0107``, as does the same without comma (the
    header line of mini-CBF images, which dxtbx copies into the identifier).
    """
    found = _SERIAL.search(identifier)
    return found.group(1).rstrip("./-") or None if found else None
