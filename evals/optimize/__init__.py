"""Prompts that learn: `python -m evals.optimize`."""
