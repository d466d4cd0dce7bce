"""Where a derivation's inputs lie, beside the machine that derives."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from calib.files.refl import file_sha256
from calib.flows.environment import this_environment
from calib.model.dataset import Dataset
from calib.model.provenance import Provenance


def provenance_of(
    paths: Sequence[Path], datasets: Sequence[Dataset], parent: str | None = None
) -> Provenance:
    """This machine, and the files of the datasets among ``paths``."""
    by_name: dict[str, list[Path]] = {}
    for path in paths:
        by_name.setdefault(path.name, []).append(path)
    found = {}
    for data in datasets:
        for name, sha256 in zip(data.source.names, data.source.sha256, strict=True):
            places = by_name.get(name, [])
            # A name that stands in several folders tells nothing: then the hashes must.
            for path in places:
                if len(places) == 1 or file_sha256(path) == sha256:
                    # Folders may have names that are no text.
                    found[sha256] = os.fsencode(path.absolute()).decode("utf-8", "replace")
    return Provenance(this_environment(), dict(sorted(found.items())), parent)
