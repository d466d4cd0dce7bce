"""The parts of the store's door, one for each noun. ``calib.store.store.Store`` puts them together:
whoever adds a noun adds a file here and its class there."""
