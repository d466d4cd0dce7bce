"""Reports: results as plain mappings for scripts (views), and as blocks of text for people.

One file per noun holds both: ``x_view`` makes the mapping that ``--json`` prints, ``x_table``,
``x_facts`` or ``x_blocks`` make blocks from that mapping. All are pure functions and independent of
how blocks are rendered.
"""
