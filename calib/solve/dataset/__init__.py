"""The refinement of a single dataset: prediction, outliers, normal equations, elimination."""
