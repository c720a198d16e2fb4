"""A vote and a search beside one chain of thought: what they solve, and for how many tokens."""
