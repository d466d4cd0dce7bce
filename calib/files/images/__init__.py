"""Headers of images: which detector took them, when, and how it was set up."""
