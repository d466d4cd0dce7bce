"""One answer of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from calib.report.blocks import Block


@dataclass(frozen=True)
class Case:
    """One answer: for scripts, and for people."""

    view: Any
    """None where another case has the same one."""
    blocks: Sequence[Block]
