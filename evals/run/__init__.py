"""Quality, measured: `python -m evals.run`."""
