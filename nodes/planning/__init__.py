"""From an outline to threads: what a model wrote, what code made of it, whether it pays."""
