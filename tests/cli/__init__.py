"""The `apr` command and its dialogue."""
