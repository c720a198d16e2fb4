"""How much an endpoint, a run and a task may use: requests at once, tokens, time, tries."""
