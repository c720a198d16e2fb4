"""Entries of a store of runs that somebody else wrote: nothing in them is run, and the other runs stay usable."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import ormsgpack
import pytest

from tests.support.command import apr
from tests.support.server import ModelServer

POISON = {
    "nothing": "{}",
    "a list": "[]",
    "text": '"x"',
    "another kind": '{"id": 5, "question": null}',
    "a constructor": json.dumps({"lc": 2, "type": "constructor", "id": ["os", "mkdir"], "args": ["MARK"]}),
}


@pytest.mark.parametrize("poison", POISON)
async def test_an_entry_that_cannot_be_read_is_passed_over(server: ModelServer, tmp_path: Path, poison: str) -> None:
    place, mark = tmp_path / "runs.sqlite", tmp_path / "mark"
    for question in ("Why?", "How?"):
        assert (await apr(server, question, APR_STORE=str(place)))[0] == 0
    with closing(sqlite3.connect(place)) as content:
        changed = content.execute(
            "UPDATE store SET value = ? WHERE CAST(value AS TEXT) LIKE '%Why?%'",
            (POISON[poison].replace("MARK", str(mark)),),
        )
        assert changed.rowcount >= 1
        content.commit()
    status, out, err = await apr(server, "runs", APR_STORE=str(place))
    assert status == 0 and "How?" in out and "cannot be read and is passed over" in err and "Traceback" not in err, err
    id = out.split()[0] if "How?" in out.splitlines()[0] else out.splitlines()[-1].split()[0]
    for command in (("show", id), ("prune", "--keep", "0")):
        status, out, err = await apr(server, *command, APR_STORE=str(place))
        assert status == 0 and "Traceback" not in err, err
    assert not mark.exists()


async def test_a_file_that_holds_no_entries_is_said(server: ModelServer, tmp_path: Path) -> None:
    place = tmp_path / "runs.sqlite"
    assert (await apr(server, "Why?", APR_STORE=str(place)))[0] == 0
    with closing(sqlite3.connect(place)) as content:
        content.execute("UPDATE store SET value = 'not json'")
        content.commit()
    status, _, err = await apr(server, "runs", APR_STORE=str(place))
    assert status and "cannot be read or written any more" in err and "Traceback" not in err, err


@pytest.mark.parametrize("what", ["a function", "another state", "damage"])
async def test_a_state_that_cannot_be_read_is_said(server: ModelServer, tmp_path: Path, what: str) -> None:
    place, mark = tmp_path / "runs.sqlite", tmp_path / "mark"
    assert (await apr(server, "Why?", APR_STORE=str(place)))[0] == 0
    call = ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(("os", "mkdir", str(mark)))))
    value = {"a function": call, "another state": ormsgpack.packb({"v": 4}), "damage": b"\xc1\xff"}[what]
    with closing(sqlite3.connect(place)) as content:
        content.execute("UPDATE checkpoints SET checkpoint = ?", (value,))
        content.commit()
    status, out, _ = await apr(server, "runs", APR_STORE=str(place))
    assert status == 0 and "Why?" in out
    status, _, err = await apr(server, "show", out.split()[0], APR_STORE=str(place))
    assert status and "Traceback" not in err and not mark.exists(), err
