"""Numbers that all differ."""

from __future__ import annotations

import hashlib

_GOLDEN = 0.6180339887


class Numbers:
    """A repeatable sequence of different numbers in which neighbours are far apart."""

    def __init__(self, start: int = 0) -> None:
        self._n = start
        self._given: set[float] = set()

    def positive(self, scale: float) -> float:
        """A number between 0.1 and 1 times ``scale``, of five significant digits."""
        value = 0.0
        while not value or value in self._given:
            self._n += 1
            value = float(f"{scale * (0.1 + 0.9 * (self._n * _GOLDEN % 1.0)):.5g}")
        self._given.add(value)
        return value

    def signed(self, scale: float) -> float:
        """The same with either sign, two of five negative."""
        value = self.positive(scale)
        return -value if self._n % 5 in (1, 2) else value

    def count(self, scale: int) -> int:
        """A whole number up to ``scale``."""
        value = 0
        while not value or value in self._given:
            self._n += 1
            value = round(scale * (0.1 + 0.9 * (self._n * _GOLDEN % 1.0)))
        self._given.add(value)
        return value

    def name(self) -> str:
        """64 hexadecimal digits."""
        self._n += 1
        return hashlib.sha256(str(self._n).encode()).hexdigest()
