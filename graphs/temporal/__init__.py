"""The workflow on several machines, by Temporal (extra `temporal`)."""
