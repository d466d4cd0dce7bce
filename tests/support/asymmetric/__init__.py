"""Model values without any symmetry, so that an exchange of two numbers is always visible.

Every number differs from every other, x from y, a value from its uncertainty; signs are mixed, and
the numbering of panels follows neither their place nor their size.
"""
