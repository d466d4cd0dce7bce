"""summary: show the summaries of datasets, and write them to files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from calib.errors import InputError
from calib.files.atomic import Outputs
from calib.files.kinds import SUMMARY
from calib.files.native.summary import SUFFIX, read_summary
from calib.flows.shared.summaries import SummaryEntry, kept_summaries, select_summary
from calib.model.result.summary import Summary
from calib.model.store.protocol import StoreLike


def export_summaries(
    store: StoreLike,
    reference: str,
    folder: Path,
    *,
    serial: str | None,
    datasets: Sequence[str],
    force: bool,
) -> list[tuple[str, Path]]:
    """Write the summaries of a calibration to files in ``folder``, all or none.

    Returns the name of each dataset and its file. Raises ``InputError`` where files cannot be
    written."""
    if not folder.is_dir():
        raise InputError(
            "no-output-folder",
            "there is no such folder.",
            place=str(folder),
            remedy="create it, or give another folder.",
        )
    summaries = kept_summaries(store, store.calibrations.get(reference, serial))
    chosen = [select_summary(summaries, name) for name in datasets] or summaries
    names = Counter(kept.name for kept in chosen)
    written = []
    with Outputs(store=store.files, force=force) as outputs:
        for kept in chosen:
            path = folder / f"{_file_name(kept, twice=names[kept.name] > 1)}{SUFFIX}"
            outputs.stage(path, kept.file.content, SUMMARY)
            written.append((kept.name, path))
        outputs.commit()
    return written


def shown_summaries(
    store: StoreLike | None, source: str, *, serial: str | None = None
) -> list[tuple[Summary, int]]:
    """The summaries of a calibration, or where no store is given, the one in a file; each with the
    size of its file in bytes."""
    if store is None:
        path = Path(source)
        return [(read_summary(path), path.stat().st_size)]
    found = kept_summaries(store, store.calibrations.get(source, serial))
    return [(kept.summary, len(kept.file.content)) for kept in found]


def _file_name(kept: SummaryEntry, *, twice: bool) -> str:
    name = re.sub(r"[^\w.+-]", "_", kept.name).lstrip(".") or "dataset"
    return f"{name[:80]}-{kept.file.id[:12]}" if twice else name[:80]
