"""Tools in the threads."""
