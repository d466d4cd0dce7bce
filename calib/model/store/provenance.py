"""How a calibration came about beyond what names it: the machine, and where its inputs lay.

The same derivation on two machines is the same calibration, so none of this is part of its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from calib.model.base.content import from_content


@dataclass(frozen=True, slots=True)
class Environment:
    """What may change a result in its last bits."""

    python: str
    numpy: str
    scipy: str
    """Empty where it took no part: the solver has used it at one time."""
    blas: str
    """Name and version of the linear algebra behind numpy."""
    processor: str
    """Its kind, such as the model's name."""
    threads: int
    """Of the linear algebra."""
    platform: str

    def difference(self, other: Environment) -> tuple[str, ...]:
        """What differs, a few words each; empty where results must agree bit for bit."""
        found = []
        for name in ("python", "numpy", "scipy", "blas", "processor", "threads"):
            mine, yours = getattr(self, name), getattr(other, name)
            if mine != yours:
                found.append(f"{name} {mine or 'none'} against {yours or 'none'}")
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and from which files a calibration was derived."""

    environment: Environment
    paths: Mapping[str, str]
    """SHA-256 of an input file -> where it lay on the host that derived."""
    parent: str | None = None
    """The id of the calibration that this one was made from by adding to it."""

    def content(self) -> dict[str, Any]:
        """The same in JSON's own kinds."""
        environment = self.environment
        return {
            "environment": {name: getattr(environment, name) for name in environment.__slots__},
            "paths": dict(self.paths),
            "parent": self.parent,
        }

    @staticmethod
    def from_content(content: Mapping[str, Any]) -> Provenance:
        """The provenance whose ``content`` this is; raises as ``content.from_content`` does."""
        paths, parent = dict(content["paths"]), content["parent"]
        if not all(isinstance(text, str) for text in (*paths, *paths.values(), parent or "")):
            raise TypeError
        return Provenance(from_content(Environment, content["environment"]), paths, parent)
