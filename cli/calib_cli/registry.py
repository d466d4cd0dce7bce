"""Where each command stands. Its module is loaded when it is run, or told about by the help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.main import get_command, get_group

PLACES = {
    "derive": ("calibration.derive", "derive"),
    "combine": ("calibration.combine", "combine"),
    "certify": ("calibration.certify", "certify"),
    "withdraw": ("calibration.certify", "withdraw"),
    "apply": ("calibration.apply", "apply"),
    "resolve": ("calibration.resolve", "resolve"),
    "list": ("calibration.show", "list_calibrations"),
    "show": ("calibration.show", "show"),
    "affected": ("data.affected", "affected"),
    "rederive": ("calibration.rederive", "rederive"),
    "diff": ("calibration.diff", "diff"),
    "history": ("detector.history", "history"),
    "export": ("calibration.export", "export"),
    "init": ("store.init", "init"),
    "demo": ("demo", "demo"),
    "doctor": ("store.doctor", "doctor"),
    "summary": ("data.summary", "app"),
    "detector": ("detector.detector", "app"),
    "bundle": ("data.bundle", "app"),
    "usage": ("data.usage", "app"),
    "audit": ("audit.audit", "app"),
    "db": ("store.db", "app"),
}
"""The module of each command and what it is called there: a function, or a group of commands."""


class Commands(Mapping[str, Any]):
    """The commands by their names, each made when it is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in PLACES

    def __iter__(self) -> Iterator[str]:
        return iter(PLACES)

    def __len__(self) -> int:
        return len(PLACES)


def _made(name: str) -> Any:
    module, inner = PLACES[name]
    found = getattr(import_module(f"calib_cli.commands.{module}"), inner)
    around = typer.Typer(
        rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
    )
    if isinstance(found, typer.Typer):
        around.add_typer(found, name=name)
        return get_group(around).commands[name]
    around.command(name)(found)
    return get_command(around)
