"""Servers at their worst: what breaks, and what must not."""
