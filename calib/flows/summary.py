"""summary: show the summaries of datasets, and write them to files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from calib.errors import InputError
from calib.files.atomic import Outputs
from calib.files.kinds import HDF5_MAGIC, SUMMARY
from calib.files.native.summary import SUFFIX, read_summary, summary_bytes
from calib.files.native.summary_hdf5 import SUFFIX as HDF5_SUFFIX
from calib.files.native.summary_hdf5 import hdf5_bytes
from calib.files.writer import SummaryFormat
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
    file_format: SummaryFormat | None = None,
    force: bool,
) -> list[tuple[str, Path]]:
    """Write the summaries of a calibration to files in ``folder``, all or none.

    Without ``file_format`` the files are those that were recorded. Returns the name of each dataset
    and its file. Raises ``InputError`` where files cannot be written."""
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
            suffix, content = _file_of(kept, file_format)
            path = folder / f"{_file_name(kept, twice=names[kept.name] > 1)}{suffix}"
            outputs.stage(path, content, SUMMARY)
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


def _file_of(kept: SummaryEntry, file_format: SummaryFormat | None) -> tuple[str, bytes]:
    """The suffix and the bytes of the file of a summary."""
    recorded = kept.file.content
    is_hdf5 = recorded.startswith(HDF5_MAGIC)
    if file_format is SummaryFormat.HDF5 or (file_format is None and is_hdf5):
        return HDF5_SUFFIX, recorded if is_hdf5 else hdf5_bytes(kept.summary)
    return SUFFIX, summary_bytes(kept.summary) if is_hdf5 else recorded


def _file_name(kept: SummaryEntry, *, twice: bool) -> str:
    name = re.sub(r"[^\w.+-]", "_", kept.name).lstrip(".") or "dataset"
    return f"{name[:80]}-{kept.file.id[:12]}" if twice else name[:80]
