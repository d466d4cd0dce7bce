"""Commands that derive, certify, apply and show calibrations."""
