"""The help of commands: usage, description, example, and the options in panels.

Plain text as wide as the terminal, up to 120 columns. ``--help`` leaves out the panel "Advanced",
so that the usual options of a command fit on one screen; ``--help-all`` prints everything. Nothing
is imported for it: help is the command that is run most often.
"""

from __future__ import annotations

import copy
import inspect
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from enum import Enum
from functools import lru_cache
from typing import Any

from typer.core import TyperCommand

from calib_cli.output import is_coloured, write

INPUT, METHOD, PRIOR, VALIDITY = "Input", "Method", "Prior", "Validity"
OUTPUT, STORE, ADVANCED = "Output", "Store", "Advanced"
PANELS = (INPUT, METHOD, PRIOR, VALIDITY, OUTPUT, STORE, ADVANCED, "")
"""The panels in the order in which the help prints them; the last has no heading."""

_WIDEST = 120
_LABEL = 24
"""Columns of an option's name; a longer one has a line of its own."""
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"

CLOCK_CHECKED = "calib.clock_checked"
"""Key of a context: whether ``--clock-checked`` was given."""
_RECORDING = {"by", "store", "as_json"}
"""Parameters of every command that records something in the store of the user."""

Row = tuple[str, str]


class Command(TyperCommand):
    """A command whose help is printed in panels; one that records takes ``--clock-checked``."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        names = {param.name for param in self.params}
        if names >= _RECORDING and "clock_checked" not in names:
            flag = next(param for param in self.params if param.name == "as_json")
            self.params.append(_clock_option(flag))

    def get_params(self, ctx: Any) -> list[Any]:
        """The arguments and options of the command, with ``--help`` and ``--help-all``."""
        return with_help_all(super().get_params(ctx))

    def get_help(self, ctx: Any) -> str:
        """The usual options of the command."""
        return help_text(self, ctx, coloured=is_coloured(sys.stdout))


def with_help_all(params: list[Any]) -> list[Any]:
    """The parameters of a command, of which ``--help`` is the last, and ``--help-all``."""
    return [*params, _help_all_option(params[-1])]


@lru_cache(maxsize=64)  # the parser wants the same object each time
def _help_all_option(help_option: Any) -> Any:
    """An option like ``--help`` that prints the advanced options as well."""

    def show(ctx: Any, param: Any, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            text = help_text(ctx.command, ctx, coloured=is_coloured(sys.stdout), with_advanced=True)
            write(text + "\n")
            ctx.exit()

    option = copy.copy(help_option)
    option.name, option.opts, option.callback = "help_all", ["--help-all"], show
    return option


def _clock_option(flag: Any) -> Any:
    """A flag like another one that states that the clock of this machine is right; ``open_store``
    reads it."""

    def keep(ctx: Any, param: Any, value: bool) -> None:
        ctx.meta[CLOCK_CHECKED] = value

    option = copy.copy(flag)
    option.name, option.opts, option.callback = "clock_checked", ["--clock-checked"], keep
    option.help = "Record although the clock of this machine seems wrong, after you compared it."
    option.expose_value, option.rich_help_panel = False, ADVANCED
    return option


def help_text(command: Any, ctx: Any, *, coloured: bool, with_advanced: bool = False) -> str:
    """The help of a command or of a group of commands."""
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    params = [param for param in command.get_params(ctx) if not getattr(param, "hidden", False)]
    panels: dict[str, list[Row]] = {name: [] for name in PANELS}
    for param in params:
        if param.name not in ("help", "help_all"):
            panel = getattr(param, "rich_help_panel", None) or ""
            panel = ADVANCED if param.opts == ["--show-completion"] else panel
            panels[panel].append(_row(param, every_name=with_advanced))
    n_advanced = len(panels[ADVANCED])
    panels[""].append(("-h, --help", "Show this help."))
    if n_advanced and not with_advanced:
        panels[ADVANCED] = []
        options = "option" if n_advanced == 1 else "options"
        panels[""].append(("--help-all", f"Show {n_advanced} advanced {options} as well."))

    sections = [[f"Usage: {ctx.command_path} {_usage(command, params)}"]]
    sections += _description(command.help or "", width)
    sections += [_panel(name, rows, width) for name, rows in panels.items() if rows]
    sections += [_panel(name, rows, width) for name, rows in _commands(command, ctx)]
    text = "\n\n".join("\n".join(lines) for lines in sections)
    return _with_bold_headings(text) if coloured else text


def summary(command: Any) -> str:
    """The first sentence of a command's description."""
    first = " ".join((command.help or "").partition("\n\n")[0].split())
    return first.partition(". ")[0].removesuffix(".") + "."


def _usage(command: Any, params: Sequence[Any]) -> str:
    if hasattr(command, "commands"):
        return "[OPTIONS] COMMAND [ARGS]..."
    arguments = [param for param in params if param.param_type_name == "argument"]
    return " ".join(["[OPTIONS]", *(_argument(param) for param in arguments)])


def _argument(param: Any) -> str:
    name = str(param.metavar)
    return name if param.required else f"[{name}]"


def _description(text: str, width: int) -> Iterator[list[str]]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):  # to be printed line by line
            yield paragraph.removeprefix("\b\n").splitlines()
        elif paragraph:
            yield textwrap.wrap(" ".join(paragraph.split()), width)


def _row(param: Any, *, every_name: bool) -> Row:
    if param.param_type_name == "argument":
        return str(param.metavar), _with_notes(param)
    names = sorted(param.opts, key=len)
    if not every_name:
        long = [name for name in names if name.startswith("--")]
        names = [name for name in names if name not in long[1:]]
    label = ", ".join(names)
    takes_value = not param.is_flag and param.metavar
    return (f"{label} {param.metavar}" if takes_value else label), _with_notes(param)


def _with_notes(param: Any) -> str:
    default, shown = param.default, param.show_default
    notes = []
    if isinstance(shown, str):
        notes.append(f"default: {shown}")
    elif shown and _is_printed(default):
        value = default.value if isinstance(default, Enum) else default
        notes.append(f"default: {value:g}" if isinstance(value, float) else f"default: {value}")
    if param.required and param.param_type_name == "option":
        notes.append("required")
    return " ".join([param.help or "", *(f"[{note}]" for note in notes)])


def _is_printed(default: Any) -> bool:
    return (
        isinstance(default, str | int | float) and not isinstance(default, bool) and default != ""
    )


def _panel(name: str, rows: Sequence[Row], width: int) -> list[str]:
    indent = " " * (_LABEL + 4)
    lines = [f"{name}:"] if name else []
    for label, text in rows:
        wrapped = textwrap.wrap(text, max(width - len(indent), 20)) or [""]
        if len(label) > _LABEL:
            lines += _broken(label, width)
        else:
            lines.append(f"  {label:<{_LABEL}}  {wrapped.pop(0)}".rstrip())
        lines += [indent + line for line in wrapped]
    return lines


def _broken(label: str, width: int) -> Iterator[str]:
    """A long label in lines, broken between the values of a choice."""
    indent = "  "
    while len(indent) + len(label) > width and "|" in label:
        end = label.rfind("|", 0, width - len(indent)) + 1
        if not end:
            break
        yield indent + label[:end]
        label, indent = label[end:], "      "
    yield indent + label


def _commands(command: Any, ctx: Any) -> Iterator[tuple[str, list[Row]]]:
    """The commands of a group under its headings."""
    for heading, names in getattr(command, "headings", {}).items():
        yield heading, [(name, summary(command.get_command(ctx, name))) for name in names]


def _with_bold_headings(text: str) -> str:
    return "\n".join(
        f"{_BOLD}{line}{_PLAIN}" if line.endswith(":") and not line.startswith(" ") else line
        for line in text.split("\n")
    )
