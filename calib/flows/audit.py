"""audit: verify the log, and sign its latest entries so that truncation is detected."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from calib.files.native.checkpoint import read_checkpoint, write_checkpoint
from calib.files.native.keys import default_key, public_path
from calib.model.store.log import Audit, Checkpoint
from calib.model.store.protocol import StoreLike


def verify(
    store: StoreLike, checkpoint: Path | None = None, public_key: Path | None = None
) -> tuple[Audit, Checkpoint | None]:
    """Compare the whole store with its log, and the log with a checkpoint where one is given."""
    if checkpoint is None:
        return store.log.audit(), None
    known = read_checkpoint(checkpoint, public_key or public_path(default_key()))
    return store.log.audit(known.heads), known


def make_checkpoint(
    store: StoreLike, private_key: Path | None, output: Path, now: datetime, *, force: bool = False
) -> Checkpoint:
    """Sign the last hash of each chain and write them to a file, to be kept elsewhere."""
    checkpoint = Checkpoint(now, store.log.heads())
    write_checkpoint(
        checkpoint, private_key or default_key(), output, store=store.files, force=force
    )
    return checkpoint
