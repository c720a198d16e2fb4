"""Plain code alone."""
