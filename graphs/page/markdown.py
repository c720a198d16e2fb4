"""An answer as the Markdown that models write: nothing in it is alive, and no character that counts is lost (pure)."""

from functools import cache

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup

SCHEMES = ("https://", "http://", "mailto:")
"""How an address of a link may begin; a link to any other stays text."""
LOSSY = ("image", "escape", "entity", "reference", "lheading", "code")
"""Rules that would fetch something, or take away what the model wrote: `\\(x\\)`, `&lt;`, `[1]: …`, a line of `===`."""


def render_markdown(text: str, most: int) -> Markup | None:
    """Write a text as HTML.

    Args:
        text: What a model wrote. HTML in it is shown, not used.
        most: Bytes that the HTML may have.

    Returns:
        The HTML, or `None` where it would be too long.
    """
    parser = _parser()
    tokens = parser.parse(text)
    for token in tokens:
        _adapt(token)
    html = parser.renderer.render(tokens, parser.options, {})
    return Markup(html) if len(html.encode()) <= most else None


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable(LOSSY)
    parser.inline.ruler.before("emphasis", "product", _keep_product)
    parser.validateLink = lambda url: url.lower().startswith(SCHEMES)  # type: ignore[method-assign]
    return parser


def _keep_product(state: StateInline, silent: bool) -> bool:
    """Keep the signs of `2*3*4`, which would be an emphasis."""
    here = state.pos
    around = state.src[here - 1 : here] + state.src[here + 1 : here + 2]
    if state.src[here] != "*" or len(around) < 2 or not around.isalnum():
        return False
    if not silent:
        state.pending += "*"
    state.pos += 1
    return True


def _adapt(token: Token) -> None:
    """Fit a piece into the page: headings below its own, lists with the numbers that were written."""
    if token.type in ("heading_open", "heading_close"):
        token.tag = "p"
        if token.nesting > 0:
            token.attrSet("class", "heading")
    elif token.type == "list_item_open" and token.info:
        token.attrSet("value", token.info)
    for child in token.children or []:
        if child.type == "link_open":
            child.attrSet("rel", "noopener noreferrer nofollow")
