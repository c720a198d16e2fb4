"""The shape of the project, its pages and its package."""
