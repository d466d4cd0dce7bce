"""calib detector relabel: record a calibration under the right serial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from calib_cli.completion import complete_serial
from calib_cli.context import actor, log_head, open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, Reason, Reference, Serial, StorePlace
from calib_cli.output import notify, write_blocks, write_json

if TYPE_CHECKING:
    from calib.model.store.certification_rules import Consequences


def relabel(
    ctx: typer.Context,
    reference: Reference,
    right: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="SERIAL",
            help="Record it for this detector.",
            show_default=False,
            rich_help_panel=INPUT,
            autocompletion=complete_serial,
        ),
    ],
    reason: Reason,
    certify: Annotated[
        bool,
        typer.Option(
            "--certify",
            help="Certify it for the same times and distances as under the wrong serial.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    supersede: Annotated[
        bool,
        typer.Option(
            "--supersede",
            help="With --certify, replace certifications of other calibrations.",
            rich_help_panel=INPUT,
        ),
    ] = False,
    serial: Serial = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Record a calibration again under the right serial.

    For a serial that was mistyped when it was derived: the calibration under the wrong serial is
    withdrawn and stays on record, as parent of the new one, which is not certified unless
    --certify is given. A detector that is unknown is registered.

    \b
    Example:
      calib detector relabel 24-0107:3 --to 24-0170 --reason "mistyped"
    """
    from datetime import UTC, datetime

    from calib.flows.amend.relabel import relabel as relabelled
    from calib.flows.rules import refuse_anonymous
    from calib.report.certifications import (
        certification_table,
        certification_view,
        change_sentences,
        change_view,
    )
    from calib.report.detector.amendments import relabelled_table, relabelling_view
    from calib.report.log import head_facts

    def notify_changes(consequences: Consequences) -> None:
        for sentence in change_sentences([change_view(one) for one in consequences.changes]):
            notify(sentence)

    who = actor(by)
    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        refuse_anonymous(opened, named=who.personal)
        done = relabelled(
            opened,
            reference,
            right,
            serial=serial,
            certify=certify,
            supersede=supersede,
            reason=reason,
            stamp=who.stamp(datetime.now(UTC)),
            before=notify_changes,
            dry_run=dry_run,
        )
        head = log_head(opened)
    view = {
        "wrong": done.wrong.name,
        "calibration": None if done.stored is None else done.stored.name,
        "calibration_id": done.record.id,
        "registered": done.registered is not None,
        "relabelling": relabelling_view(done.relabelling),
        "withdrawn": [certification_view(one) for one in done.withdrawn],
        "certified": [certification_view(one) for one in done.certified],
        "stored": not dry_run,
        "log_head": head,
    }
    if as_json:
        write_json(view)
        return
    if done.registered is not None:
        notify(
            f"{'Would register' if dry_run else 'Registered'} the new detector {right}; times "
            f"without offset are read in {done.registered.time_zone}."
        )
    blocks = [relabelled_table(view)]
    if done.certified and not dry_run:
        blocks.append(certification_table([certification_view(one) for one in done.certified]))
    write_blocks([*blocks, head_facts(head)])
    if done.withdrawn and not certify:
        notify(f"{done.wrong.name} was certified; its certifications do not apply to {right}.")
    if done.stored is not None and not done.certified:
        partial = " --partial" if done.stored.record.estimate.is_partial else ""
        notify(f'Next: calib certify {done.stored.name}{partial} --reason "..."')
