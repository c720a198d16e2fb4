"""Binary search."""


def find(numbers: list[int], wanted: int) -> int:
    """Return the index of `wanted` in the sorted `numbers`, or -1."""
    low, high = 0, len(numbers) - 1
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] == wanted:
            return middle
        if numbers[middle] < wanted:
            low = middle + 1
        else:
            high = middle - 1
    return -1
