"""calib publish: geometry for programs that have no access to the store."""
