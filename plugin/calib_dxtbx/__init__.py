"""A plugin of dxtbx: modules as panels, and calibrated geometry at import."""
