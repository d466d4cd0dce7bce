"""Results of a derivation: report, summary, residual statistics, drift."""
