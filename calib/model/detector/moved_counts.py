"""How many reflections were moved between one panel and the modules of a detector."""

from __future__ import annotations

from typing import Protocol


class MovedCounts(Protocol):
    """How many reflections were moved to other panels."""

    @property
    def n_kept(self) -> int:
        """Reflections that were moved."""

    @property
    def n_in_gaps(self) -> int:
        """Those left out, since their spot is on no module."""

    @property
    def n_across(self) -> int:
        """Those left out, since their spot is on several modules."""

    @property
    def n_cut(self) -> int:
        """Shoeboxes of which pixels on other modules are cleared."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that cannot be moved and were left out."""
