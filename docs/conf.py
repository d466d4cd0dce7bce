"""The documentation as a site: ``make docs`` writes it to build/docs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [
    str(HERE),
    str(HERE.parent),
    str(HERE.parent / "cli"),
    str(HERE.parent / "migrations"),
]

from calib.version import __version__ as release  # noqa: E402

project = "calib"
author = copyright = "calib developers"
version = release
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "numpydoc",
    "command_pages",
]
source_suffix = {".md": "markdown"}
exclude_patterns = ["README.md"]

myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
myst_dmath_double_inline = True

autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_type_aliases = {name: name for name in ("AnyPath", "AnyStore", "By", "Time")}
python_maximum_signature_line_length = 80
autodoc_member_order = "bysource"
autodoc_class_signature = "separated"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"calib {release}"
html_copy_source = False
html_show_sphinx = False


def _named_alias(*event: Any) -> tuple[str | None, str | None]:
    """Signatures with the plain names of type aliases, which Sphinx wraps where they are joined."""
    arguments, returned = event[-2:]
    shown = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", arguments or "")
    return shown or None, returned


def setup(app: Any) -> None:
    """Connect to Sphinx."""
    app.connect("autodoc-process-signature", _named_alias)
