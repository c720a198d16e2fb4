"""The embedded server: its file, its process, its slots and what it has read."""
