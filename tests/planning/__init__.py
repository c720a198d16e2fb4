"""From the question to its threads."""
