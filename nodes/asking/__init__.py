"""What each role is asked."""
