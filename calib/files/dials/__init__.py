"""DIALS experiment lists (``.expt``) and reflection tables (``.refl``)."""
