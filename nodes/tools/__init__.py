"""Tools that threads may call: which there are, and a thread's own loop of asking and calling."""
