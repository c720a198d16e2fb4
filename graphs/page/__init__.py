"""The report page and its timeline."""
