"""Accounts in a database."""

import sqlite3


def find_user(connection: sqlite3.Connection, name: str) -> tuple[str, str] | None:
    """Return the name and mail address of the user with this name."""
    query = "SELECT name, mail FROM users WHERE name = '" + name + "'"
    row: tuple[str, str] | None = connection.execute(query).fetchone()
    return row
