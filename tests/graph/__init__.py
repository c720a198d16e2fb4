"""The compiled graph, against a loopback server."""
