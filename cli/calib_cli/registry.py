"""The table of all commands: which module has each. A module is imported when its command is run
or its help is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS = {
    "derive": "calibration.derive:derive",
    "combine": "calibration.combine:combine",
    "certify": "calibration.certify:certify",
    "withdraw": "calibration.withdraw:withdraw",
    "apply": "calibration.apply:apply",
    "resolve": "calibration.resolve:resolve",
    "list": "calibration.list:list_calibrations",
    "show": "calibration.show:show",
    "affected": "calibration.affected:affected",
    "rederive": "calibration.rederive:rederive",
    "diff": "calibration.diff:diff",
    "history": "detector.history:history",
    "export": "calibration.export:export",
    "init": "store.init:init",
    "demo": "store.demo:demo",
    "doctor": "store.doctor:doctor",
    "summary export": "summary.export:export",
    "summary show": "summary.show:show",
    "detector add": "detector.add:add",
    "detector place": "detector.place:place",
    "detector list": "detector.list:list_detectors",
    "detector show": "detector.show:show",
    "bundle create": "bundle.create:create",
    "bundle load": "bundle.load:load",
    "bundle show": "bundle.show:show",
    "usage push": "usage.push:push",
    "usage list": "usage.list:list_applications",
    "audit log": "audit.log:log",
    "audit verify": "audit.verify:verify",
    "audit checkpoint": "audit.checkpoint:checkpoint",
    "audit key": "audit.key:key",
    "db current": "store.current:current",
    "db check": "store.check:check",
    "db upgrade": "store.upgrade:upgrade",
    "db backup": "store.backup:backup",
    "db restore": "store.restore:restore",
    "db set": "store.set:set_rule",
    "db rules": "store.rules:rules",
}
"""Each command with its module below ``calib_cli.commands`` and its function there, in the order
of the help."""


@dataclass(frozen=True, slots=True)
class GroupHelp:
    """What the help of a group of commands says."""

    summary: str
    example: str

    @property
    def text(self) -> str:
        """The summary and an example, as in the docstring of a command."""
        return f"{self.summary}\n\n\b\nExample:\n  {self.example}"


GROUPS = {
    "summary": GroupHelp("Summaries of datasets: export, show.", "calib summary show 24-0107:3"),
    "detector": GroupHelp("Detectors: register, place, list, show.", "calib detector show 24-0107"),
    "bundle": GroupHelp(
        "Carry detectors and calibrations between stores.",
        "calib bundle create 24-0107 -o detector.calib-bundle",
    ),
    "usage": GroupHelp("Which files got which calibration.", "calib usage list --serial 24-0107"),
    "audit": GroupHelp("The log of every change, and its verification.", "calib audit log 24-0107"),
    "db": GroupHelp("The store as a whole: check, upgrade, back up.", "calib db check"),
}


class Commands(Mapping[str, Any]):
    """The commands of the program, or of one of its groups, by name; each is made on demand."""

    def __init__(self, group: str = "") -> None:
        self._prefix = f"{group} " if group else ""
        inside = (path for path in COMMANDS if path.startswith(self._prefix))
        words = (path.removeprefix(self._prefix).partition(" ")[0] for path in inside)
        self._names = list(dict.fromkeys(words))
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        if name not in self._made:
            path = self._prefix + name
            self._made[name] = _group(path) if path in GROUPS else _command(path)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class Group(TyperGroup):
    """A group of commands, which are imported on demand."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        name = self.name or ""
        self.commands: Any = Commands(name if name in GROUPS else "")

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, in the order of the help."""
        return list(self.commands)


def _group(name: str) -> Any:
    return get_group(
        typer.Typer(
            name=name,
            help=GROUPS[name].text,
            cls=Group,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            add_completion=False,
        )
    )


def _command(path: str) -> Any:
    module, _, function = COMMANDS[path].partition(":")
    wrapper = typer.Typer(
        rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False
    )
    found = getattr(import_module(f"calib_cli.commands.{module}"), function)
    wrapper.command(path.rpartition(" ")[2])(found)
    return get_command(wrapper)
