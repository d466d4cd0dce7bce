"""Draws of Hypothesis that do not depend on which modules are loaded.

Hypothesis draws constants from the source of every loaded module of the project, and has no
setting against it. The examples of a test then depend on which tests ran before it in the same
process.
"""

from __future__ import annotations

from hypothesis.internal.conjecture.providers import HypothesisProvider
from hypothesis.internal.constants_ast import Constants


def draw_alike_everywhere() -> None:
    """Draw no constants from loaded modules; ``tests/test_draws.py`` fails where this does not
    work."""
    setattr(HypothesisProvider, "_local_constants", Constants())  # noqa: B010
