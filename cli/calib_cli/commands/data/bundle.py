"""calib bundle create, load, show: a detector or a calibration carried between stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import is_named, open_store, stamp
from calib_cli.options import AsJson, By, DryRun, Force, StorePlace
from calib_cli.output import say, write_blocks, write_json

app = typer.Typer(
    help="Carry detectors and calibrations between stores.\n\n"
    "\b\nExample:\n  calib bundle create 24-0107 -o detector.calib-bundle"
)

BundleFile = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A file of calib bundle create.")
]


@app.command("create")
def create(
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="A detector's serial, or a calibration: SERIAL:VERSION or the start of its id.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write. Default: SERIAL.calib-bundle in the current folder.",
        ),
    ] = None,
    with_usage: Annotated[
        bool,
        typer.Option(
            "--with-usage",
            help="Take along who did what on which host, where inputs lay, and applications.",
        ),
    ] = False,
    force: Force = False,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Write a detector or a calibration with its history to one file.

    Names of people and hosts, paths and applications stay at home unless asked for.

    \b
    Example:
      calib bundle create 24-0107 -o detector.calib-bundle
    """
    from calib.flows.bundle import create as created
    from calib.report.bundle import bundle_facts, bundle_view

    with open_store(ctx, store, read_only=True) as opened:
        done = created(opened, what, output, with_usage=with_usage, force=force)
    view = bundle_view(done.bundle)
    say(f"Wrote {done.output}.")
    if as_json:
        write_json({**view, "output": str(done.output)})
    else:
        write_blocks([bundle_facts(view)])


@app.command("load")
def load(
    ctx: typer.Context,
    path: BundleFile,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Let its certifications hold here, by your word."),
    ] = False,
    supersede: Annotated[
        bool,
        typer.Option("--supersede", help="With --adopt: also where that replaces what holds here."),
    ] = False,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record what a bundle carries; loading it twice adds nothing.

    Calibrations keep their ids and take the next numbers here. Certifications arrive as
    history, and hold here only with --adopt.

    \b
    Example:
      calib bundle load detector.calib-bundle
    """
    from calib.flows.bundle import load as loaded
    from calib.flows.set_rule import refuse_anonymous
    from calib.report.bundle import loaded_blocks, loaded_view

    with open_store(ctx, store, read_only=dry_run) as opened:
        if adopt:
            refuse_anonymous(opened, named=is_named(by))
        done = loaded(opened, path, stamp(by), adopt=adopt, supersede=supersede, dry_run=dry_run)
    view = {**loaded_view(done), "stored": not dry_run}
    if dry_run:
        say("Nothing was loaded; loading it would do this:")
    if as_json:
        write_json(view)
    else:
        write_blocks(loaded_blocks(view))


@app.command("show")
def show(path: BundleFile, as_json: AsJson = False) -> None:
    """Verify a bundle and tell what it carries.

    \b
    Example:
      calib bundle show detector.calib-bundle
    """
    from calib.files.native.bundle import read_bundle
    from calib.report.bundle import bundle_facts, bundle_view

    view = bundle_view(read_bundle(path))
    if as_json:
        write_json(view)
    else:
        write_blocks([bundle_facts(view)])
