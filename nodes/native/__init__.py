"""Models that write their own parallel trajectories: their formats, and what becomes of what they write."""
