"""A conversation as a problem: the latest human message is the question, what was said before are documents (pure).

A turn is a document, so that parts name it by number, and only the threads that need it read it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage

from nodes.conversation.content import Content, File, read_content
from nodes.conversation.reply import FIGURES
from nodes.shared.cleaning import one_line
from nodes.state import Document, Problem

MAX_TURNS = 20
"""Earlier turns that a question is read with; the planner's list has a line for each."""
MAX_TURNS_CHARACTERS = 40_000
"""Characters of all earlier turns that a question is read with, some 10,000 tokens; the latest one is always read."""
MAX_TITLE_CHARACTERS = 60
"""Characters of a question that stand for its turn in the planner's list."""


class _Turn(NamedTuple):
    """What was asked, and what was answered."""

    asked: str
    said: list[AIMessage]


class _Read(NamedTuple):
    """What a conversation holds, in order."""

    turns: list[_Turn]
    files: list[File]
    rules: list[str]


def read_conversation(messages: Sequence[BaseMessage]) -> Problem:
    """Make a problem of a conversation.

    Args:
        messages: In order. System messages are instructions; those of tools are passed over.

    Raises:
        ValueError: There is no human message, the latest one has no text, or it holds what cannot be read.
    """
    last = max((place for place, message in enumerate(messages) if isinstance(message, HumanMessage)), default=None)
    if last is None:
        raise ValueError("`messages` hold no human message, and the latest one is the question")
    latest = read_content(messages[last].content)
    if latest.refused:
        raise ValueError(f"`messages`: {'; '.join(latest.refused)}")
    if not latest.text.strip():
        raise ValueError("`messages`: the latest human message has no text; write what you want to know")
    read = _read([*messages[:last], *messages[last + 1 :]])
    documents = _files([*read.files, *latest.files]) + _turns(read.turns)
    return Problem(question=latest.text, documents=documents, instructions="\n\n".join(read.rules))


def _read(messages: Iterable[AnyMessage | BaseMessage]) -> _Read:
    """Read what stands around the question; what cannot be read of it was refused when it was asked."""
    read = _Read([], [], [])
    for message in messages:
        content: Content = read_content(message.content)
        if isinstance(message, SystemMessage):
            read.rules.append(content.text)
        elif isinstance(message, HumanMessage):
            read.turns.append(_Turn(content.text, []))
            read.files.extend(content.files)
        elif isinstance(message, AIMessage) and content.text.strip():
            if not read.turns:
                read.turns.append(_Turn("", []))
            read.turns[-1].said.append(message)
    return read


def _files(files: Iterable[File]) -> list[Document]:
    """Make documents of files; of two that are the same there is one, and names that occur again get a number."""
    found: dict[str, str] = {}
    for file in files:
        name, number = file.name, 1
        while found.get(name, file.text) != file.text:
            number += 1
            name = f"{file.name} ({number})"
        found[name] = file.text
    return [Document(id=name, text=text) for name, text in found.items()]


def _turns(turns: Sequence[_Turn]) -> list[Document]:
    """Make documents of the latest turns, as many as may be read."""
    kept: list[Document] = []
    room = MAX_TURNS_CHARACTERS
    for number in range(len(turns), max(0, len(turns) - MAX_TURNS), -1):
        turn = turns[number - 1]
        text = _text_of(turn)
        room -= len(text)
        if kept and room < 0:
            break
        title = one_line(turn.asked, MAX_TITLE_CHARACTERS)
        kept.append(
            Document(id=f"earlier turn {number}", title=f"earlier turn {number}: {title}", text=text, kind="turn")
        )
    return kept[::-1]


def _text_of(turn: _Turn) -> str:
    said = "\n\n".join(read_content(message.content).text for message in turn.said)
    results = [line for message in turn.said for line in _results(message, said)]
    lines = [f"Asked: {turn.asked}" if turn.asked.strip() else "", f"Answered: {said}" if said else "Not answered."]
    return "\n\n".join(filter(None, [*lines, "\n".join(results)]))


def _results(message: AIMessage, said: str) -> list[str]:
    """List what the threads of a turn came to, as far as its answer does not say it in the same words."""
    figures = message.additional_kwargs.get(FIGURES)
    threads = figures.get("threads") if isinstance(figures, Mapping) else None
    told = [thread for thread in threads if isinstance(thread, Mapping)] if isinstance(threads, list) else []
    return [_line(thread) for thread in told if str(thread.get("answer", "")) not in said]


def _line(thread: Mapping[str, Any]) -> str:
    return f"{thread.get('id')} ({thread.get('subquestion')}): {thread.get('answer') or thread.get('status')}"
