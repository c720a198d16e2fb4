"""Servers as they are: replies, faults, limits."""
