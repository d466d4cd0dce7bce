"""What split and merge share: arguments, options and output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from calib_cli.completion import complete_dials_files, complete_layout
from calib_cli.help import INPUT, OUTPUT
from calib_cli.output import notify, write_blocks, write_json

if TYPE_CHECKING:
    from calib.flows.layouts.split import Converted

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="EXPT [REFL]",
        help="Experiment list, with its reflections if any.",
        show_default=False,
        rich_help_panel=INPUT,
        autocompletion=complete_dials_files,
    ),
]
OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write the experiments here.",
        show_default="./STEM_split.expt, ./STEM_merged.expt",
        readable=False,
        rich_help_panel=OUTPUT,
    ),
]
ReflectionsOutput = Annotated[
    Path | None,
    typer.Option(
        "--reflections-out",
        metavar="FILE",
        help="Write the reflections here.",
        show_default="beside it",
        readable=False,
        rich_help_panel=OUTPUT,
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option(
        "--layout",
        metavar="NAME",
        help="Use the modules of this model (calib layout list).",
        show_default="recognised from the file",
        rich_help_panel=INPUT,
        autocompletion=complete_layout,
    ),
]


def paths_of(
    paths: list[Path], output: Path | None, reflections_output: Path | None, word: str
) -> tuple[Path, Path | None, Path]:
    """The experiment list, its table if any, and the output."""
    from calib.errors import InputError

    tables = [path for path in paths if ".refl" in path.suffixes]
    lists = [path for path in paths if path not in tables]
    if len(lists) != 1 or len(tables) > 1:
        raise InputError(
            "bad-use",
            f"{len(lists)} experiment lists and {len(tables)} reflection tables are given.",
            remedy="give one .expt file, and its .refl file if there is one.",
        )
    if reflections_output is not None and not tables:
        raise InputError(
            "bad-use",
            "--reflections-out is given, but no reflections are.",
            remedy="add the .refl file.",
        )
    expt = lists[0]
    return expt, tables[0] if tables else None, output or Path(f"{expt.stem}_{word}.expt")


def write_result(done: Converted, inputs: list[Path], *, as_json: bool, dry_run: bool) -> None:
    """Print what was converted."""
    from calib.report.layouts import conversion_blocks, conversion_view

    view = conversion_view(
        [str(path) for path in inputs],
        [str(path) for path in done.outputs],
        [(one.index, one.known) for one in done.detectors],
        done.reflections,
        done.notices,
        written=not dry_run,
    )
    for notice in done.notices:
        notify(f"Note: {notice}")
    if as_json:
        write_json(view)
    else:
        write_blocks(conversion_blocks(view))
        outputs = " and ".join(view["outputs"])
        notify(f"{'Would write' if dry_run else 'Wrote'} {outputs}.")
