"""Warnings of the plugin, each once in a process."""

from __future__ import annotations

import logging

_LOG = logging.getLogger("dxtbx.calib_dxtbx")
_GIVEN: set[str] = set()


def warn(text: str) -> None:
    """Log a warning, unless it was logged before."""
    if text not in _GIVEN:
        _GIVEN.add(text)
        _LOG.warning("calib-dxtbx: %s", text)
