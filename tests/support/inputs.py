"""Numbered input, as tests need it: whatever splits questions, it is split so; and what a question was split into."""

from nodes.input.segments import Segment, split_input


def numbered(*texts: str, documents: dict[str, str] | None = None, items: bool = False) -> list[Segment]:
    """Segments of a question, and documents by label; as `items`, all but the first are those of a list."""
    asked = [
        Segment(number=n, text=f"{n - 1}. {text}" if items and n > 1 else text, marker=f"{n - 1}." * (items and n > 1))
        for n, text in enumerate(texts, 1)
    ]
    given = enumerate((documents or {}).items(), len(asked) + 1)
    return [*asked, *(Segment(number=n, text=text, kind="document", label=label) for n, (label, text) in given)]


def split_question(question: str) -> list[str]:
    return [segment.text for segment in split_input(question)]


def list_items(question: str) -> int:
    return sum(bool(segment.marker) for segment in split_input(question))
