"""Linear algebra, rigid motions, splines and statistics used by the solver."""
