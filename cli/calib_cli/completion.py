"""Values that the shell offers for arguments and options on the tab key.

The store is opened read-only and never created. Errors are not printed, since they would appear in
the command line: on an error, nothing is offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from calib.model.store.record import CalibrationLine
    from calib.store.store import Store

Offer = tuple[str, str]
"""A value and what the shell shows beside it, if it can."""


def complete_serial(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Serial numbers of the detectors in the store."""
    return [
        (serial, description)
        for serial, description in _read(ctx, _detectors)
        if serial.startswith(incomplete)
    ]


def complete_calibration(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """``SERIAL:VERSION`` of the calibrations in the store; with ``--serial``, versions."""
    serial = ctx.params.get("serial")
    offers = _read(ctx, lambda store: _calibrations(store, serial, bare=True)) if serial else []
    offers = offers or _read(ctx, lambda store: _calibrations(store, None, bare=False))
    return [offer for offer in offers if offer[0].startswith(incomplete)]


def complete_serial_or_calibration(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Serial numbers and calibrations."""
    return [*complete_serial(ctx, incomplete), *complete_calibration(ctx, incomplete)]


def complete_summary_source(ctx: typer.Context, incomplete: str) -> list[Offer]:
    """Calibrations, and files of summaries."""
    from calib.files.native.summary import SUFFIXES

    return [*complete_calibration(ctx, incomplete), *_files(incomplete, SUFFIXES)]


def complete_dials_files(incomplete: str) -> list[Offer]:
    """Experiment lists and reflection tables."""
    return _files(incomplete, (".expt", ".refl"))


def complete_experiments(incomplete: str) -> list[Offer]:
    """Experiment lists."""
    return _files(incomplete, (".expt",))


def complete_reflections(incomplete: str) -> list[Offer]:
    """Reflection tables."""
    return _files(incomplete, (".refl",))


def complete_bundle(incomplete: str) -> list[Offer]:
    """Bundles."""
    return _files(incomplete, (".calib-bundle",))


def complete_layout(incomplete: str) -> list[Offer]:
    """Names of detector models."""
    from calib.config.layouts import known_detectors

    with suppress(Exception):
        names = [detector.name for detector in known_detectors()]
        return [(name, "") for name in names if name.startswith(incomplete)]
    return []


def complete_rule(incomplete: str) -> list[Offer]:
    """Names of the rules of a store."""
    from calib.model.store.rule import DEMAND_ACTOR

    return [(name, "") for name in (DEMAND_ACTOR,) if name.startswith(incomplete)]


def complete_yes_or_no(incomplete: str) -> list[Offer]:
    """``yes`` and ``no``."""
    return [(value, "") for value in ("yes", "no") if value.startswith(incomplete)]


def _detectors(store: Store) -> Iterator[Offer]:
    return ((record.serial, record.description) for record in store.detectors.list())


def _calibrations(store: Store, serial: str | None, *, bare: bool) -> Iterator[Offer]:
    for line in store.calibrations.list(serial):
        name = str(line.version) if bare else f"{line.serial}:{line.version}"
        yield name, _description(line)


def _description(line: CalibrationLine) -> str:
    from calib.report.blocks import distances

    return f"{line.state.value}, {distances(line.distances_mm)}"


def _read(ctx: typer.Context, offers: Callable[[Store], Iterable[Offer]]) -> list[Offer]:
    """What an existing store offers; nothing if it cannot be read."""
    with suppress(Exception), _existing_store(ctx) as store:
        return list(offers(store))
    return []


@contextmanager
def _existing_store(ctx: typer.Context) -> Iterator[Store]:
    from calib.store.store import Store
    from calib_cli.context import store_location

    location = store_location(ctx, ctx.params.get("store"))
    if location.path is not None and not location.path.is_file():
        raise FileNotFoundError(location.path)
    with Store.open(location, read_only=True) as store:
        yield store


def _files(incomplete: str, suffixes: tuple[str, ...]) -> list[Offer]:
    """Files with one of these suffixes, and folders.

    A folder that is the only match is replaced by what it holds, so that the shell does not end
    the word after it.
    """
    with suppress(OSError):
        found = _matches(incomplete, suffixes)
        while len(found) == 1 and found[0].endswith("/"):
            inside = _matches(found[0], suffixes)
            if not inside:
                break
            found = inside
        return [(path, "") for path in found]
    return []


def _matches(typed: str, suffixes: tuple[str, ...]) -> list[str]:
    """Paths that begin like ``typed``, written in the same way."""
    start = typed.rpartition("/")[2]
    prefix = typed[: len(typed) - len(start)]
    found = []
    with os.scandir(Path(prefix or ".").expanduser()) as entries:
        for entry in entries:
            hidden = entry.name.startswith(".") and not start.startswith(".")
            if hidden or not entry.name.startswith(start):
                continue
            if entry.is_dir():
                found.append(f"{prefix}{entry.name}/")
            elif entry.name.endswith(suffixes):
                found.append(prefix + entry.name)
    return sorted(found)
