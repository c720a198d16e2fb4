"""Runs that are kept: store, checkpointer, long texts, locks."""
