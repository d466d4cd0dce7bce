"""Panel corrections: the joint equations, their solution, diagnostics and acceptance."""
