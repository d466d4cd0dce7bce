"""How far panels move where one choice of the derivation is made otherwise."""
