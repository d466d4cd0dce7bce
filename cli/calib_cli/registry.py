"""The table of all commands. The module of a command is imported when it is run or its help is
printed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from calib_cli.help import Command, help_text, with_help_all
from calib_cli.output import is_coloured

SECTIONS = {
    "Derive and certify": {
        "derive": "calibration.derive:derive",
        "combine": "calibration.combine:combine",
        "rederive": "calibration.rederive:rederive",
        "certify": "calibration.certify:certify",
        "withdraw": "calibration.withdraw:withdraw",
        "affected": "calibration.affected:affected",
    },
    "Use and look up": {
        "apply": "calibration.apply:apply",
        "identify": "data.identify:identify",
        "resolve": "calibration.resolve:resolve",
        "export": "calibration.export:export",
        "explain": "data.explain:explain",
        "annotate": "data.annotate:annotate",
        "split": "data.split:split",
        "merge": "data.merge:merge",
        "publish geometry": "publish.geometry:geometry",
        "usage push": "usage.push:push",
        "usage list": "usage.list:list_applications",
        "list": "calibration.list:list_calibrations",
        "show": "calibration.show:show",
        "report": "calibration.report:report",
        "diff": "calibration.diff:diff",
        "history": "detector.history:history",
        "detector add": "detector.add:add",
        "detector place": "detector.place:place",
        "detector edit": "detector.edit:edit",
        "detector retire": "detector.retire:retire",
        "detector relabel": "detector.relabel:relabel",
        "detector list": "detector.list:list_detectors",
        "detector show": "detector.show:show",
        "layout list": "layout.list:list_layouts",
        "layout show": "layout.show:show",
        "layout add": "layout.add:add",
        "summary export": "summary.export:export",
        "summary show": "summary.show:show",
    },
    "Maintain a store": {
        "init": "store.init:init",
        "demo": "store.demo:demo",
        "doctor": "store.doctor:doctor",
        "db current": "store.current:current",
        "db check": "store.check:check",
        "db upgrade": "store.upgrade:upgrade",
        "db backup": "store.backup:backup",
        "db restore": "store.restore:restore",
        "db set": "store.set:set_rule",
        "db rules": "store.rules:rules",
        "db grant": "store.grant:grant",
        "audit log": "audit.log:log",
        "audit verify": "audit.verify:verify",
        "audit clock": "audit.clock:clock",
        "audit checkpoint": "audit.checkpoint:checkpoint",
        "audit anchor": "audit.anchor:anchor",
        "audit key": "audit.key:key",
        "audit keys": "audit.keys:keys",
        "audit rotate": "audit.rotate:rotate",
        "bundle create": "bundle.create:create",
        "bundle load": "bundle.load:load",
        "bundle show": "bundle.show:show",
    },
}
"""The commands under the headings of the help, each with its module below ``calib_cli.commands``
and its function there."""
COMMANDS = {path: place for section in SECTIONS.values() for path, place in section.items()}


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
    "publish": GroupHelp(
        "Write certified geometry for other programs.",
        "calib publish geometry 24-0107 -o geometry.json",
    ),
    "usage": GroupHelp(
        "Record and list applications of calibrations.", "calib usage list --serial 24-0107"
    ),
    "detector": GroupHelp(
        "Register, place, change, list and show detectors.", "calib detector show 24-0107"
    ),
    "layout": GroupHelp(
        "List, show and add the modules of known detectors.", 'calib layout show "PILATUS 6M"'
    ),
    "summary": GroupHelp("Export and show summaries of datasets.", "calib summary show 24-0107:3"),
    "db": GroupHelp("Check, upgrade, back up and restore the store.", "calib db check"),
    "audit": GroupHelp("Print and verify the log of changes.", "calib audit log 24-0107"),
    "bundle": GroupHelp(
        "Transfer detectors and calibrations between stores.",
        "calib bundle create 24-0107 -o detector.calib-bundle",
    ),
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
    """A group of commands, which are imported on demand; its help is printed in panels."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        name = self.name if self.name in GROUPS else ""
        self.commands: Any = Commands(name or "")
        self.headings = {"Commands": list(self.commands)} if name else _headings()

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, in the order of the help."""
        return list(self.commands)

    def get_params(self, ctx: Any) -> list[Any]:
        """The options of the group, with ``--help`` and ``--help-all``."""
        return with_help_all(super().get_params(ctx))

    def get_help(self, ctx: Any) -> str:
        """The options and commands of the group."""
        return help_text(self, ctx, coloured=is_coloured(sys.stdout))


def _headings() -> dict[str, list[str]]:
    """The headings of the program's help, each with the first words of its commands."""
    return {
        heading: list(dict.fromkeys(path.partition(" ")[0] for path in section))
        for heading, section in SECTIONS.items()
    }


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
    wrapper.command(path.rpartition(" ")[2], cls=Command)(found)
    return get_command(wrapper)
