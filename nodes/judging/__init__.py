"""What a reviewer wrote, and calculations done again as evidence."""
