"""The page of a run in a real browser: desktop and phone, light and dark, by keyboard, and as axe sees it.

Needs Debian's Chromium (or Chrome), and `axe-core` from npm in `node_modules`; `.ci/run` installs both.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from graphs import graph
from graphs.page.page import page
from nodes.planning.edits import Decision, Edit
from nodes.state import Solution
from tests.support.server import Fault, Reply, model_server, outline, review
from tests.support.subjects.page import run, thread

PROJECT = Path(__file__).parents[2]
AXE = PROJECT / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ALIVE = "<script>document.title = 'alive'</script>"
SHORT = {"id": "short.txt", "text": "One is 1."}
PARTS = ["What is one?", "What does long.txt say?", "What is three?"]

if CHROMIUM is None:
    pytest.skip("no Chromium here: apt-get install chromium", allow_module_level=True)
if not AXE.exists():
    pytest.skip("no axe here: npm install --no-save axe-core", allow_module_level=True)

playwright = pytest.importorskip("playwright.async_api", reason="the browser's driver comes with the `dev` extra")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a real run: a retry, a thread sent back, a conflict, one split again, a script in an answer."""
    text = "\n\n".join(f"Paragraph {number}. " + "It says a little more. " * 15 for number in range(30))
    problem = {"question": " ".join(PARTS), "documents": [{"id": "long.txt", "text": text}, SHORT]}
    async with model_server() as server:
        server.window = 2_000
        server.on(
            "assess", outline(f"5: {PARTS[0]}", f"4: {PARTS[1]}", f"5: {PARTS[2]}", f"Is #1 {ALIVE} more than #3?")
        )
        server.on(PARTS[2], Fault(status=500), Reply(f"Result: {ALIVE}"))
        server.on(PARTS[0], "Result: 1")
        conflict = (["T1", "T3"], ["1", ALIVE])
        server.on("review", review("", "T1: it is wrong", conflicts=[conflict]), review(f"In one word: {ALIVE}"))
        context = {"model": "openai:scripted", "base_url": server.url, "baseline": True}
        solution = Solution.model_validate(await graph.ainvoke(problem, context=context))
    assert solution.outcome == "complete" and solution.report.refined
    file = tmp_path_factory.mktemp("page") / "run.html"
    decided = Decision(stage="plan", action="edit", edits=[Edit(op="drop", thread_ids=["T9"])])
    decided_on = solution.model_copy(update={"decisions": [decided]})
    file.write_text(page(decided_on, beside=Solution(question="?", answer="- One\n- Two")), encoding="utf-8")
    return file


@pytest.fixture
def heard() -> Iterator[list[str]]:
    """What a page had to complain about, and what it asked for."""
    complaints: list[str] = []
    yield complaints
    assert complaints == []


async def opened(browser: Any, file: Path, heard: list[str], **how: Any) -> Any:
    """Open a page; whatever it logs or asks the network for is heard."""

    def asked(request: Any) -> None:
        if request.url != file.as_uri():
            heard.append(request.url)

    tab = await (await browser.new_context(**how)).new_page()
    tab.on("console", lambda message: heard.append(message.text))
    tab.on("pageerror", lambda error: heard.append(str(error)))
    tab.on("request", asked)
    await tab.goto(file.as_uri())
    return tab


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(running: Any) -> AsyncIterator[Any]:
    """The browser of all tests here, and none of what another one has left open."""
    yield running
    for context in running.contexts:
        await context.close()


WIDTHS = {1280: "light", 390: "dark", 320: "light"}
"""Each with the scheme in which it is tried; the other is left to `-m full`."""


@pytest.mark.at_most(1)
@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        pytest.param(width, scheme, marks=[] if WIDTHS[width] == scheme else pytest.mark.full)
        for width in WIDTHS
        for scheme in ("light", "dark")
    ],
)
async def test_the_page_is_sound_at_every_width_and_in_both_schemes(
    browser: Any, shown: Path, heard: list[str], width: int, scheme: str
) -> None:
    screen = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    # axe is put into the page, which the page's own policy forbids.
    tab = await opened(browser, shown, heard, bypass_csp=True, **screen)
    for _ in range(await tab.locator("summary").count()):
        await tab.locator("details:not([open]) > summary").first.click()
    assert await tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    dark = await tab.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    background = await tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (scheme == "dark") == dark == (background != "rgb(255, 255, 255)")
    await tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = await tab.evaluate("axe.run()")
    assert [f"{fault['id']}: {fault['nodes'][0]['html']}" for fault in found["violations"]] == []
    assert len(found["passes"]) > 20


async def test_a_script_in_an_answer_is_shown_and_not_run(browser: Any, shown: Path, heard: list[str]) -> None:
    tab = await opened(browser, shown, heard)
    assert await tab.title() != "alive" and await tab.locator("script").count() == 1
    assert ALIVE in await tab.locator("#answer").inner_text()
    assert ALIVE in await tab.locator("#threads").inner_text()
    assert f"“{ALIVE}”" in await tab.locator("#review").inner_text()
    assert f"Is #1 {ALIVE} more than #3?" in await tab.locator("#plan").inner_text()


async def test_everything_can_be_reached_by_keyboard(browser: Any, shown: Path, heard: list[str]) -> None:
    tab = await opened(browser, shown, heard)
    await tab.keyboard.press("Tab")
    assert await tab.evaluate("document.activeElement.textContent") == "Skip to the answer"
    table = tab.locator("#timeline details")
    for _ in range(200):
        await tab.keyboard.press("Tab")
        if await tab.evaluate("document.activeElement.matches('#timeline summary')"):
            break
    await tab.keyboard.press("Enter")
    assert await table.get_attribute("open") is not None
    await tab.keyboard.press("Tab")
    assert await tab.evaluate("document.activeElement.getAttribute('aria-label')") == "All calls"
    assert await tab.locator("#timeline tbody tr").first.is_visible()


async def test_a_long_question_unfolds_and_threads_narrow_down_without_a_script(
    browser: Any, tmp_path: Path, heard: list[str]
) -> None:
    file = tmp_path / "run.html"
    threads = [thread("T1"), thread("T2", status="failed", answer="")]
    file.write_text(page(run(question="Why is it so? " * 60, threads=threads)), encoding="utf-8")
    tab = await opened(browser, file, heard, java_script_enabled=False)
    title = tab.locator("h1")
    folded = (await title.bounding_box())["height"]
    await tab.get_by_text("The whole question").click()
    assert (await title.bounding_box())["height"] > 1.5 * folded
    await tab.get_by_label("Only those without").check()
    assert [await one.is_visible() for one in await tab.locator("article").all()] == [False, True]
    await tab.get_by_role("link", name="T2", exact=True).first.click()
    assert tab.url.endswith("#thread-2") and not await tab.locator("button").first.is_visible()


async def test_texts_are_copied_as_they_were_written(browser: Any, tmp_path: Path, heard: list[str]) -> None:
    file = tmp_path / "run.html"
    file.write_text(page(run(answer="1. It is **so**.\n2. <b>2*3</b>")), encoding="utf-8")
    tab = await opened(browser, file, heard, permissions=["clipboard-read", "clipboard-write"])
    await tab.get_by_role("button", name="Copy answer").click()
    await tab.get_by_role("button", name="Copied").wait_for()
    assert await tab.evaluate("navigator.clipboard.readText()") == "1. It is **so**.\n2. <b>2*3</b>"


async def test_printed_it_is_whole(browser: Any, shown: Path, heard: list[str]) -> None:
    # A page of A4, in CSS pixels and without its margins.
    tab = await opened(browser, shown, heard, viewport={"width": 718, "height": 1000})
    await tab.emulate_media(media="print")
    for folded in await tab.locator("details:not(.raw) > :not(summary)").all():
        assert await folded.is_visible()
    assert await tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    wide = "[...document.querySelectorAll('.scroll')].filter(box => box.scrollWidth > box.clientWidth).length"
    assert await tab.evaluate(wide) == 0
    assert await tab.evaluate("getComputedStyle(document.querySelector('.bar')).printColorAdjust") == "exact"
