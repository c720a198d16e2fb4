"""Where a model is reached, and what it has shown: pace, usage, bounds."""
