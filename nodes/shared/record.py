"""The base of every value that a run returns."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A value that reads the same in Python as over HTTP.

    `thread.status` and `thread["status"]` are the same, so code written against the JSON of the
    server works on the objects of the compiled graph.
    """

    # Schemas say what a field means, too: those of the server, of tools, of Studio's form.
    model_config = ConfigDict(use_attribute_docstrings=True)

    def __getitem__(self, name: str) -> Any:
        """Return the field `name`.

        Raises:
            KeyError: There is no such field.
        """
        if name not in type(self).model_fields:
            raise KeyError(name)
        return getattr(self, name)
