"""How far runs grow that are spread over several worker processes by Temporal, and what that costs."""
