"""Servers that tests start, and networks between them."""
