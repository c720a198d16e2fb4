"""The words that all share: the environment, a run and its clock, what texts and files pass through."""
