"""docs/reference/json.md names every format and every exit code."""

from __future__ import annotations

import re

import calib_cli.errors
from calib.files.writer import ExportFormat
from support.json_page import PAGE


def test_the_page_names_every_format_of_an_export() -> None:
    row = re.search(r"^\| `format` \| text \| (.*) \|$", PAGE, re.MULTILINE)
    assert row is not None
    assert re.findall(r"`([\w-]+)`", row[1]) == [form.value for form in ExportFormat]


def test_the_page_lists_every_exit_code() -> None:
    codes = {
        value
        for name, value in vars(calib_cli.errors).items()
        if name.isupper() and isinstance(value, int)
    }
    listed = re.findall(r"^\| (\d+) \|", PAGE.partition("\n## Output streams\n")[0], re.MULTILINE)
    assert sorted(int(code) for code in listed) == sorted(codes)
