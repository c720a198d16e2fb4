"""The sub-commands of `apr`, a file each, with what only they need."""
