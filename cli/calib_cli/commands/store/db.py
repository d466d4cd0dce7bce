"""calib db: keep the store as a whole: its revision, its soundness, its backups."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from calib_cli.context import open_store, place_of, stamp
from calib_cli.errors import NO
from calib_cli.options import AsJson, By, DryRun, StorePlace
from calib_cli.output import say, write, write_blocks, write_json

app = typer.Typer(
    help="The store as a whole: check, upgrade, back up.\n\n\b\nExample:\n  calib db check"
)


@app.command("current")
def current(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Show the store's revision, and whom it admits.

    Programs that know the revision of the oldest reader may read it, those that know that of the
    oldest writer may write it.

    \b
    Example:
      calib db current
    """
    from calib.report.maintenance import revision_facts, revision_view
    from calib.store.schema.revision import HEAD
    from calib.store.store import Store

    place = place_of(ctx, store)
    view = revision_view(place.shown, Store.revision(place), HEAD)
    if as_json:
        write_json(view)
    else:
        write_blocks([revision_facts(view)])


@app.command("check")
def check(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Check the store: file, tables, triggers, log.

    Every row is compared with what the log says of it. Exit code 1 where something is wrong.

    \b
    Example:
      calib db check
    """
    from calib.report.maintenance import check_blocks, checks_view
    from calib.store.store import Store

    place = place_of(ctx, store)
    view = checks_view(place.shown, Store.check(place))
    if as_json:
        write_json(view)
    else:
        write_blocks(check_blocks(view))
    if not view["fine"]:
        raise typer.Exit(NO)


@app.command("upgrade")
def upgrade(
    ctx: typer.Context,
    backup: Annotated[
        Path | None,
        typer.Option(
            "--backup",
            metavar="FILE",
            help="Where the backup goes. Default: beside the store's file; for a server, here.",
        ),
    ] = None,
    no_backup: Annotated[
        bool, typer.Option("--no-backup", help="Make no backup before, since there is one.")
    ] = False,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Carry an older store to today's revision.

    It is backed up first, then changed as a whole or not at all. Older programs may not be able
    to use it any more.

    \b
    Example:
      calib db upgrade
    """
    from calib.report.maintenance import upgrade_view
    from calib.store.schema.revision import HEAD
    from calib.store.store import Store

    if backup is not None and no_backup:
        raise typer.BadParameter("--backup and --no-backup contradict each other")  # noqa: EM101
    place = place_of(ctx, store)
    path = None
    if not no_backup:
        path = backup or Store.backup_name(place, datetime.now(UTC))
    done = Store.upgrade(place, path, dry_run=dry_run)
    view = upgrade_view(place.shown, done, stored=not dry_run)
    if as_json:
        write_json(view)
    elif done.before == done.after:
        write(f"The store is at revision {HEAD} already: {place.shown}\n")
    else:
        if done.backup is not None:
            write(f"Backed up: {done.backup.path}\n")
        verb = "Would upgrade" if dry_run else "Upgraded"
        write(f"{verb} from revision {done.before} to {done.after}: {place.shown}\n")


@app.command("backup")
def backup(
    ctx: typer.Context,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The new file. Default: with the time in its name, beside the store's file; for "
            "a server, here.",
        ),
    ] = None,
    store: StorePlace = None,
    as_json: AsJson = False,
) -> None:
    """Copy the store, as it is at one moment, to a new file.

    The file is an SQLite store itself, whatever database this one lies in, and can be looked into
    with --store. Its SHA-256 is written beside it. Others may go on reading and writing.

    \b
    Example:
      calib db backup -o calib.backup.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.store import Store

    place = place_of(ctx, store)
    path = Store.backup_name(place, datetime.now(UTC)) if output is None else output
    view = backup_view(place.shown, Store.back_up(place, path))
    if as_json:
        write_json(view)
    else:
        say("Backed up.")
        write_blocks([backup_facts(view)])


@app.command("restore")
def restore(
    ctx: typer.Context,
    backup: Annotated[Path, typer.Argument(metavar="BACKUP", help="A file of calib db backup.")],
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make a store again from a backup.

    Where a store is already, nothing is done: move that away first. A backup of either database
    can be restored to either: a new file, or an empty database on a server.

    \b
    Example:
      calib db restore calib.backup.sqlite --store restored.sqlite
    """
    from calib.report.maintenance import backup_facts, backup_view
    from calib.store.store import Store

    place = place_of(ctx, store)
    done = Store.restore(place, backup, dry_run=dry_run)
    view = {**backup_view(place.shown, done), "stored": not dry_run}
    if as_json:
        write_json(view)
    else:
        say(
            "Would restore."
            if dry_run
            else "Restored. calib db check compares what it holds with its log."
        )
        write_blocks([backup_facts(view)])


@app.command("set")
def set_rule(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RULE", help="demand-actor.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="yes or no.")],
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Set what the store demands of its users.

    With demand-actor, whoever certifies or withdraws says who he is (--by, or CALIB_ACTOR): a
    login name may be shared by many. Who set a rule when is recorded.

    \b
    Example:
      calib db set demand-actor yes
    """
    from calib.flows.set_rule import set_rule as set_in

    with open_store(ctx, store, read_only=dry_run) as opened:
        new = set_in(opened, name, value, stamp(by), dry_run=dry_run)
    if as_json:
        write_json({"rule": name, "value": value, "new": new, "stored": not dry_run})
    elif not new:
        write(f"{name} is {value} already; nothing was changed.\n")
    else:
        write(f"{'Would set' if dry_run else 'Set'} {name} to {value}.\n")


@app.command("rules")
def rules(ctx: typer.Context, store: StorePlace = None, as_json: AsJson = False) -> None:
    """Show what the store demands of its users.

    \b
    Example:
      calib db rules
    """
    from calib.flows.set_rule import rules_in_force
    from calib.report.maintenance import rule_blocks, rules_view

    with open_store(ctx, store, read_only=True) as opened:
        view = rules_view(rules_in_force(opened), opened.rules())
    if as_json:
        write_json(view)
    else:
        write_blocks(rule_blocks(view))
