"""A conversation as a problem: messages, the files in them, and the message that answers."""
