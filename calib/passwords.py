"""Passwords in texts: recognised in addresses and in options, and hidden.

Rather too much is hidden than too little. Loads nothing of the project, since errors need it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import unquote

_HIDDEN = "***"
_IN_ADDRESSES = (
    # scheme://USER:PASSWORD@host, or with one slash; the password may hold any character
    re.compile(r"(?<=:/)/?[^:/?#@]*:(?P<secret>.*)@", re.DOTALL),
    # scheme://USER:PASSWORD without a host; a number is a port
    re.compile(r"(?<=:/)/?[^:/?#@\s\[]+:(?P<secret>(?!\d*(?:[/?#,\s'\")]|$))[^\s'\"@]*)(?!\S*@)"),
    # USER:PASSWORD@host at the beginning of a word
    re.compile(r"(?<![^\s'\"(=])[^\s/:@'\"=]+:(?P<secret>(?!/)[^\s@'\"]*)@"),
)
_KEY = re.compile(r"(?P<before>^|[^\w%])(?P<key>[\w%]+)(?P<quote>['\"]?)\s*(?P<sign>[=:])\s*")
_IN_QUERY = re.compile(r"[^&]*")
_IN_OPTION = re.compile(
    r"""'(?:\\.|[^'\\])*'? | "(?:\\.|[^"\\])*"? | (?:\\.|[^\s\\])*""", re.DOTALL | re.VERBOSE
)


def without_password(text: str) -> str:
    """The text with ``***`` in place of each password."""
    return _replaced(text, lambda _secret: _HIDDEN)


def masked(text: str) -> str:
    """The text with an asterisk in place of each byte of each password, so that its length in
    UTF-8 stays."""
    return _replaced(text, lambda secret: "*" * len(secret.encode("utf-8", "surrogateescape")))


def names_password(text: str) -> bool:
    """Whether a text gives a password by name, such as ``password=...`` or ``sslpassword=...``."""
    return any(_by_name(text))


def _replaced(text: str, new: Callable[[str], str]) -> str:
    if ":" not in text and "=" not in text:
        return text
    pieces: list[str] = []
    end = 0
    for start, stop in _joined([*_in_addresses(text), *_by_name(text)]):
        pieces += [text[end:start], new(text[start:stop])]
        end = stop
    return "".join([*pieces, text[end:]])


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans in their order, those that overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _in_addresses(text: str) -> Iterator[tuple[int, int]]:
    for pattern in _IN_ADDRESSES:
        for match in pattern.finditer(text):
            yield match.span("secret")


def _by_name(text: str) -> Iterator[tuple[int, int]]:
    """The values of keys that name a password, in queries, connection strings and dicts."""
    for match in _KEY.finditer(text):
        if match["sign"] == ":" and not match["quote"]:
            continue
        key = unquote(match["key"]).lower()
        if ("pass" in key and key != "passfile") or "secret" in key:
            values = _IN_QUERY if match["before"] in ("?", "&", ";") else _IN_OPTION
            value = values.match(text, match.end())
            if value is not None and value[0] and not value[0].startswith(_HIDDEN):
                yield value.span()
