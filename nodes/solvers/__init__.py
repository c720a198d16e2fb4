"""The ways to come to one result: a chain, a vote of samples, a search through a tree of steps."""
