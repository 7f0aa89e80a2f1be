"""Errors, artifacts, progress, statistics and executors: what every room stands on."""
