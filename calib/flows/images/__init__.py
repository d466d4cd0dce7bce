"""Images and experiments: which detector took them."""
