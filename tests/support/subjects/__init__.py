"""What the tests of one subject share, a file a subject."""
