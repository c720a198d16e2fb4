"""Talking to a server: connections, chat models, what it tells of itself."""
