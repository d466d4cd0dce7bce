"""calib withdraw: withdraw the certifications of a calibration."""

from __future__ import annotations

from typing import Annotated

import typer

from calib_cli.context import actor, log_head, open_store
from calib_cli.help import INPUT
from calib_cli.options import AsJson, By, DryRun, Reference, Serial, StorePlace
from calib_cli.output import notify, write_blocks, write_json


def withdraw(
    ctx: typer.Context,
    reference: Reference,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Record why it is no longer valid.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    number: Annotated[
        int | None,
        typer.Option(
            "--number",
            metavar="N",
            help="Withdraw this certification only.",
            show_default="all of the calibration",
            rich_help_panel=INPUT,
        ),
    ] = None,
    serial: Serial = None,
    by: By = None,
    store: StorePlace = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Withdraw the certifications of a calibration.

    Nothing is deleted: applications stay on record. Earlier certifications that the withdrawn ones
    had replaced come into force again; they are listed first.

    \b
    Example:
      calib withdraw 24-0107:3 --reason "module 7 was swapped again"
    """
    from calib.api.certification import withdraw as withdrawn
    from calib.model.store.certification_rules import Consequences
    from calib.report.certifications import (
        certification_table,
        certification_view,
        change_blocks,
        change_sentences,
        change_view,
    )
    from calib.report.log import head_facts

    def notify_changes(consequences: Consequences) -> None:
        for sentence in change_sentences([change_view(one) for one in consequences.changes]):
            notify(sentence)

    with open_store(ctx, store, read_only=dry_run, create=False) as opened:
        done = withdrawn(
            reference,
            store=opened,
            by=actor(by),
            serial=serial,
            number=number,
            reason=reason,
            before=notify_changes,
            dry_run=dry_run,
        )
        head = log_head(opened)
    views = [certification_view(one) for one in done.certifications]
    changes = [change_view(change) for change in done.consequences.changes]
    affected = done.consequences.affected
    if as_json:
        write_json(
            {
                "certifications": views,
                "changes": changes,
                "affected": affected,
                "stored": not dry_run,
                "log_head": head,
            }
        )
    else:
        notify("Would withdraw:" if dry_run else "Withdrawn:")
        blocks = change_blocks(changes, affected)
        write_blocks([certification_table(views), *blocks, head_facts(head)])
