"""Figures of arrays: every file draws one kind; nothing here knows models."""
