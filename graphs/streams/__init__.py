"""What a run streams, read as it comes: its answer, and what models think."""
