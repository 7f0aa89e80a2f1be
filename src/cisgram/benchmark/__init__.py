"""Evaluations on frozen tasks: every number beside its baselines and its interval."""
