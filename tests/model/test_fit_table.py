"""Tables of residuals hold the same content as the values they were made of."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from calib.model.base.content import to_content
from calib.model.result.fit_table import FitTable, ShellTable
from calib.model.result.report import BeforeAfter, Fit, Shell, Spread

size = st.floats(0.0, 1e9)
spread = st.builds(Spread, st.integers(1, 10**9), *[size] * 6)
pair = st.builds(BeforeAfter, spread, spread)
fit = st.builds(Fit, st.none() | pair, st.none() | pair)
shell = st.builds(Shell, size, size, pair)


@given(st.lists(fit, min_size=1, max_size=4))
def test_a_table_of_fits_says_what_they_say(fits: list[Fit]) -> None:
    table = FitTable.of(fits)
    assert [table[place] for place in range(len(table))] == fits
    assert table.content() == to_content(fits)
    again = FitTable.from_content(json.loads(json.dumps(table.content())))
    assert (again.values == table.values).all()
    assert table.texts() == [json.dumps(to_content(one), sort_keys=True) for one in fits]


@given(st.lists(shell, max_size=4))
def test_a_table_of_shells_says_what_they_say(shells: list[Shell]) -> None:
    table = ShellTable.of(shells)
    assert [table[place] for place in range(len(table))] == shells
    assert table.content() == to_content(shells)
    again = ShellTable.from_content(json.loads(json.dumps(table.content())))
    assert (again.values == table.values).all()
    assert (again.limits == table.limits).all()
    assert table.texts() == [json.dumps(to_content(one), sort_keys=True) for one in shells]
