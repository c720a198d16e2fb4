"""What is asked, in numbered pieces."""
