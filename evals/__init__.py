"""Measurements: quality against a baseline, speed, and memory."""
