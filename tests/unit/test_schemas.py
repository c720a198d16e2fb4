"""What schemas tell programs that know nothing else of us: forms, tools, clients in other languages."""

import pytest
from pydantic import BaseModel

import graphs
from graphs import Document, Problem, Settings, Solution
from nodes.reporting.report import Report
from nodes.threads.results import ThreadResult


@pytest.mark.parametrize("shape", [Document, Problem, Settings, Solution, ThreadResult, Report])
def test_every_field_says_what_it_means(shape: type[BaseModel]) -> None:
    fields = shape.model_json_schema(mode="serialization")["properties"]
    assert fields and [name for name, field in fields.items() if not field.get("description")] == []


def test_all_that_the_package_offers_is_there() -> None:
    assert all(getattr(graphs, name) is not None for name in graphs.__all__)
