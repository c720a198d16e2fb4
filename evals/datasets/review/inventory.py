"""Stock of a small shop."""

stock: dict[str, int] = {}


def remove(item: str, amount: int) -> None:
    """Take `amount` of an item out of the stock; never below zero."""
    left = stock.get(item, 0) - amount
    if left < 0:
        raise ValueError(f"not enough {item}")
    stock[item] = stock.get(item, 0) + amount
