"""Models that open threads by themselves."""
