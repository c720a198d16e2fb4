"""The `apr` command: one file a sub-command."""
