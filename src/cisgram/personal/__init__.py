"""Expression across people: cohorts, linear models, weight files, evaluation."""
