"""calib bundle show: verify a bundle and show what it holds."""

from __future__ import annotations

from calib_cli.options import AsJson, BundleFile
from calib_cli.output import write_blocks, write_json


def show(path: BundleFile, as_json: AsJson = False) -> None:
    """Verify a bundle and show its contents.

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
