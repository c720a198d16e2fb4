"""What a store holds and how it is read back: declared types alone, nothing run, texts beside the states."""

import contextlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langgraph.types import Send

from graphs.history.runs import Entry, Runs, config
from graphs.history.store import open_store
from graphs.history.texts import MIN_TEXT_CHARACTERS, list_hashes, put_back, take_out
from nodes.boundary.stored_types import DeclaredTypes
from nodes.settings import Settings
from nodes.state import Document, Problem, State
from tests.support.server import ModelServer
from tests.support.subjects.poison import Poison
from tests.support.subjects.runs import PARTS, split


def test_only_what_the_states_declare_is_read_back() -> None:
    serde = DeclaredTypes()
    known, unknown = Document(id="a", text="b"), Entry(id="a", question="q", started_at=0, active_at=0)
    assert serde.loads_typed(serde.dumps_typed(known)) == known
    assert not isinstance(serde.loads_typed(serde.dumps_typed(unknown)), Entry)


async def test_a_poisoned_store_runs_nothing(server: ModelServer, tmp_path: Path) -> None:
    poison = Poison(tmp_path / "run")
    split(server, 2)
    place = tmp_path / "runs.sqlite"
    context = Settings(model="openai:scripted", base_url=server.url)
    async with open_store(str(place)) as store:
        runs = Runs(store)
        problem = Problem(question=" ".join(PARTS[:2]))
        async with runs.begin(problem, context.show(), sequential=False) as entry:
            await runs.graph(entry).ainvoke(problem.model_dump(), config(entry), context=context)
    for encoding, value in poison.values:
        with closing(sqlite3.connect(place)) as content:
            for table, type_, blob in (("checkpoints", "type", "checkpoint"), ("writes", "type", "value")):
                content.execute(f"UPDATE {table} SET {type_} = ?, {blob} = ?", (encoding, value))
            content.execute("UPDATE checkpoints SET metadata = ?", (value,))
            content.commit()
        async with open_store(str(place)) as store:
            runs = Runs(store)
            with contextlib.suppress(Exception):
                await runs.solution(entry.id)
            with contextlib.suppress(Exception):
                await runs.graph(entry).ainvoke(None, config(entry), context=context)
        assert not (tmp_path / "run").exists(), encoding


TEXTS = st.one_of(st.text(), st.sampled_from(["x" * MIN_TEXT_CHARACTERS, "\ue000apr-text:" + "0" * 64, "y" * 5000]))
NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=100)
VALUES = st.recursive(
    st.one_of(
        TEXTS,
        st.integers(),
        st.none(),
        st.builds(Document, id=NAMES, text=TEXTS),
    ),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(st.text(), inner), st.tuples(inner, inner), st.builds(Send, st.text(), inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_what_is_taken_out_can_be_put_back(value: Any) -> None:
    texts: dict[str, str] = {}
    light = take_out(value, texts)
    assert list_hashes(light) == set(texts) and put_back(light, texts) == value
    assert all(len(text) >= MIN_TEXT_CHARACTERS or text.startswith("\ue000") for text in texts.values())


def test_a_state_keeps_its_texts_outside() -> None:
    documents = [Document(id=name, text=name * 2000) for name in "ab"]
    texts: dict[str, str] = {}
    light = take_out(State(question="Why?", documents=documents), texts)
    assert len(texts) == 2 and all(len(document.text) < 100 for document in light.documents)
