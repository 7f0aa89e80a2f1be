"""Tables of expression and covariates, normalisation, splits, and named public data."""
