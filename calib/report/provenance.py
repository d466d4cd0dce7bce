"""Provenance: machine, input files and parent of a calibration; the result of rederiving it."""

from __future__ import annotations

from typing import Any

from calib.model.store.provenance import Provenance
from calib.report.blocks import NONE, Facts, View

SAME_SIGMA = 1e-6
"""Below this difference a result is called the same."""


def provenance_view(provenance: Provenance | None) -> dict[str, Any] | None:
    """Environment, input files and parent of a calibration; None if they were not recorded."""
    if provenance is None:
        return None
    content = provenance.content()
    return {
        "environment": content["environment"],
        "inputs": [{"sha256": sha256, "path": path} for sha256, path in provenance.paths.items()],
        "parent": provenance.parent,
    }


def provenance_facts(view: View) -> Facts:
    """Environment, input files and parent, one per line."""
    machine = view["environment"]
    scipy = f"scipy {machine['scipy']}, " if machine["scipy"] else ""
    threads = "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return Facts(
        (
            (
                "Derived on",
                f"Python {machine['python']}, numpy {machine['numpy']}, {scipy}"
                f"{machine['blas']} with {threads}, {machine['processor']}",
            ),
            ("Input files", ", ".join(one["path"] for one in view["inputs"]) or NONE),
            ("Based on", NONE if view["parent"] is None else view["parent"][:12]),
        )
    )


def rederived_view(
    calibration: str,
    calibration_id: str,
    *,
    reproduced: bool,
    identical: bool,
    largest_sigma: float,
    environment: tuple[str, ...],
    environment_known: bool,
) -> dict[str, Any]:
    """The result of deriving a calibration again from the same files."""
    return {
        "calibration": calibration,
        "calibration_id": calibration_id,
        "reproduced": reproduced,
        "identical": identical,
        "largest_difference_sigma": largest_sigma,
        "environment_known": environment_known,
        "environment_differences": list(environment),
    }


def _result(view: View) -> str:
    if not view["reproduced"]:
        return "not reproduced"
    return "the same" if view["largest_difference_sigma"] < SAME_SIGMA else "reproduced"


def rederived_facts(view: View) -> Facts:
    """Whether the calibration was reproduced, and what differs in the environment."""
    if view["identical"]:
        result = "identical, bit for bit"
    else:
        result = f"{_result(view)}: differs by up to {view['largest_difference_sigma']:.3g} sigma"
    if not view["environment_known"]:
        machine = "unknown: not recorded"
    else:
        machine = ", ".join(view["environment_differences"]) or "same versions and processor"
    return Facts(
        (("Calibration", view["calibration"]), ("Result", result), ("Environment", machine))
    )
