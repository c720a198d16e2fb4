"""The answer on the page as Markdown: readable, never alive, and no word or figure of it lost."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.page.page import page
from tests.support.subjects.page import Seen, run, thread

MARKDOWN = """# Findings

3. the **third**
7. the seventh

| file | bugs |
|------|-----:|
| a.py | 2*3*4 |

```py
if a < b:
```
See [the manual](https://example.org/a) or <b>this</b>, \\(x\\) &lt; y.

[1]: https://example.org/b
"""


def shown_answer(text: str) -> str:
    """Return the HTML of the answer's section."""
    (section,) = re.findall(r'<section id="answer".*?</section>', page(run(answer=text)), re.S)
    return str(section)


def test_an_answer_reads_as_it_is_meant_with_the_numbers_that_were_written() -> None:
    html = shown_answer(MARKDOWN)
    assert '<p class="heading">Findings</p>' in html and '<li value="7">the seventh</li>' in html
    assert "<strong>third</strong>" in html and ">2*3*4</td>" in html and "if a &lt; b:\n</code>" in html
    assert '<a href="https://example.org/a" rel="noopener noreferrer nofollow">the manual</a>' in html
    assert "&lt;b&gt;this&lt;/b&gt;, \\(x\\) &amp;lt; y." in html and "[1]: https://example.org/b" in html
    assert Seen(page(run(answer=MARKDOWN))).tags["h1"] == 1


def test_what_was_written_stands_below_it_to_be_copied() -> None:
    html = shown_answer("It is **so**.")
    assert '<div id="written" class="text">It is **so**.</div>' in html and 'data-of="written"' in html


@pytest.mark.parametrize(
    "text",
    [
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:x)",
        "[a](file:///etc/passwd)",
        "[a](//example.org)",
        "[a](relative)",
        "<javascript:alert(1)>",
        "[a](&#106;avascript:alert(1))",
        "[a](java\nscript:alert(1))",
    ],
)
def test_a_link_that_could_do_more_than_lead_to_a_page_stays_text(text: str) -> None:
    assert "<a " not in shown_answer(text)


def test_no_picture_is_fetched_and_no_html_is_used() -> None:
    seen = Seen(page(run(answer='![a](https://example.org/x.png)\n\n<img src="x"><iframe></iframe>\n\n<svg/onload=x>')))
    assert not {"img", "iframe"} & set(seen.tags) and '<img src="x">' in seen.text and "<svg/onload=x>" in seen.text


LOOSE = st.text(st.sampled_from("ab1 *_~`#>-+.|<&\\!()[]:/\n\t'\"é日"), max_size=60)


@given(LOOSE)
@settings(max_examples=150, deadline=None)
def test_no_letter_of_an_answer_is_lost_and_nothing_in_it_is_alive(text: str) -> None:
    html = shown_answer(f"{text}\n\nEnd")
    seen = Seen(html.partition("As it was written")[0])
    assert not {"img", "script", "iframe"} & set(seen.tags)
    assert not [1 for _, name, value in seen.attributes if name.startswith("on") or value.startswith("javascript")]
    # The language of a block of code is not shown, nor are numbers of a list, which stand before its items.
    if "`" not in text and not re.search(r"1[.)]", text):
        assert [char for char in seen.text if char.isalnum()] == [char for char in f"Answer{text}End" if char.isalnum()]


@pytest.mark.parametrize("text", ["- a\n" * 60_000, "|" * 5_000 + "\n" + "|-" * 5_000, "> " * 50_000, "*a*" * 60_000])
def test_an_answer_cannot_blow_the_page_up(text: str) -> None:
    assert len(page(run(answer=text, threads=[thread(text=text)])).encode()) < 1_000_000


def test_an_answer_of_ordinary_length_is_whole_beside_many_threads() -> None:
    answer = "A line of the answer that says something.\n" * 300
    many = [thread(f"T{number}", text="Long. " * 8_000) for number in range(16)]
    html = page(run(answer=answer.strip(), threads=many))
    assert html.count("A line of the answer") == 600 and "characters are left out here" in html
