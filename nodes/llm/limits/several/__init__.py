"""Limits that several processes share: requests at once, and the tokens of a run, counted on a Redis server."""
