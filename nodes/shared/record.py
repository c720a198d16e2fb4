"""The base of every value that a run returns."""

from typing import Any

from pydantic import BaseModel


class Record(BaseModel):
    """A value that reads the same in Python as over HTTP.

    `thread.status` and `thread["status"]` are the same, so code written against the JSON of the
    server works on the objects of the compiled graph.
    """

    def __getitem__(self, name: str) -> Any:
        """Return the field `name`.

        Raises:
            KeyError: There is no such field.
        """
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)
