"""Provenance as scripts and people see it."""

from __future__ import annotations

from typing import Any

from calib.model.store.provenance import Provenance
from calib.report.blocks import NONE, Facts, View


def provenance_view(provenance: Provenance | None) -> dict[str, Any] | None:
    """On which machine and from which files a calibration was derived; None where not kept."""
    if provenance is None:
        return None
    content = provenance.content()
    return {
        "environment": content["environment"],
        "inputs": [{"sha256": sha256, "path": path} for sha256, path in provenance.paths.items()],
        "parent": provenance.parent,
    }


def provenance_facts(view: View) -> Facts:
    """The same for people."""
    machine = view["environment"]
    scipy = f"scipy {machine['scipy']}, " if machine["scipy"] else ""
    return Facts(
        (
            (
                "Derived on",
                f"Python {machine['python']}, numpy {machine['numpy']}, {scipy}"
                f"{machine['blas']} with {machine['threads']} threads, {machine['processor']}",
            ),
            ("Inputs lay at", ", ".join(one["path"] for one in view["inputs"]) or NONE),
            ("Made from", NONE if view["parent"] is None else view["parent"][:12]),
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
    """What came of deriving again."""
    return {
        "calibration": calibration,
        "calibration_id": calibration_id,
        "reproduced": reproduced,
        "identical": identical,
        "largest_difference_sigma": largest_sigma,
        "environment_known": environment_known,
        "environment_differences": list(environment),
    }


def rederived_facts(view: View) -> Facts:
    """The same for people."""
    if view["identical"]:
        result = "the same, bit for bit"
    else:
        word = "the same but for rounding" if view["reproduced"] else "another one"
        result = f"{word}: it differs by up to {view['largest_difference_sigma']:.3g} sigma"
    if not view["environment_known"]:
        machine = "not known: it was not kept"
    else:
        machine = ", ".join(view["environment_differences"]) or "the same versions and processor"
    return Facts(
        (("Calibration", view["calibration"]), ("Result", result), ("Environment", machine))
    )
