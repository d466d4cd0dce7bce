"""Provenance of a calibration that is not part of its id: the machine and the input paths.

The same derivation gives the same calibration to the last bit, and so the same id, with the same
versions of the software and the same kernel of the linear algebra. Otherwise the last bits differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calib.model.base.content import from_content


@dataclass(frozen=True, slots=True)
class Environment:
    """Versions and hardware that may change a result in its last bits."""

    python: str
    numpy: str
    scipy: str
    """Empty in calibrations made before the solver used scipy."""
    blas: str
    """Name and version of the linear algebra behind numpy, and its kernel: the code that it chose
    for this processor. Without the kernel in calibrations of earlier versions."""
    processor: str
    """The model name."""
    threads: int
    """Threads of the linear algebra."""
    platform: str

    def difference(self, other: Environment) -> tuple[str, ...]:
        """What differs, a few words each; empty if results must agree bit for bit."""
        found = []
        for name in ("python", "numpy", "scipy", "blas", "processor", "threads"):
            mine, yours = getattr(self, name), getattr(other, name)
            if mine != yours:
                found.append(f"{name} {mine or 'none'} against {yours or 'none'}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The machine and the files that a calibration was derived with."""

    environment: Environment
    paths: Mapping[str, str]
    """SHA-256 of an input file -> its path on the machine that derived."""
    parent: str | None = None
    """The id of the calibration that datasets were added to, if any."""

    def content(self) -> dict[str, Any]:
        """The provenance as plain JSON values."""
        environment = self.environment
        return {
            "environment": {name: getattr(environment, name) for name in environment.__slots__},
            "paths": dict(self.paths),
            "parent": self.parent,
        }

    @staticmethod
    def from_content(content: Mapping[str, Any]) -> Provenance:
        """The provenance with this ``content``; raises as ``content.from_content`` does."""
        paths, parent = dict(content["paths"]), content["parent"]
        if not all(isinstance(text, str) for text in (*paths, *paths.values(), parent or "")):
            raise TypeError
        return Provenance(from_content(Environment, content["environment"]), paths, parent)
