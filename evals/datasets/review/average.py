"""Statistics of a list of readings."""


def average(readings: list[float]) -> float:
    """Return the mean of the readings; 0.0 if there are none."""
    total = 0.0
    for reading in readings:
        total += reading
    return total / len(readings)
