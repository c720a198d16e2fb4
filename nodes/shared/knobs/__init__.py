"""The fields of `nodes.settings.Settings`, a file for each thing that they are about."""
