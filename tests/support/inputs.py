"""Numbered input, as tests need it: whatever splits questions, it is split so."""

from nodes.input.segments import Segment


def numbered(*texts: str, documents: dict[str, str] | None = None, items: bool = False) -> list[Segment]:
    """Segments of a question, and documents by label; as `items`, all but the first are those of a list."""
    asked = [
        Segment(number=n, text=f"{n - 1}. {text}" if items and n > 1 else text, marker=f"{n - 1}." * (items and n > 1))
        for n, text in enumerate(texts, 1)
    ]
    given = enumerate((documents or {}).items(), len(asked) + 1)
    return [*asked, *(Segment(number=n, text=text, kind="document", label=label) for n, (label, text) in given)]
