"""Values of a cache as plain JSON: whoever can write to it can make up results, and run nothing."""

import json
from typing import Any


class PlainJson:
    """A serializer that reads back what JSON can say, and of everything else nothing."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Write a value, and say how."""
        return "plain-json", json.dumps(obj).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Read a value; `None` where it was written in another way, or is damaged."""
        kind, value = data
        try:
            return json.loads(value) if kind == "plain-json" else None
        except (ValueError, TypeError, RecursionError):
            return None
