"""The page of a run: all of it there, nothing in it alive, never too large."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs import graph
from graphs.page.page import POLICY, page
from nodes.judging.verdicts import Conflict, Review
from nodes.llm.endpoints.usage import Call, Usage
from nodes.planning.forecast import Forecast
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.planning.repair import Repair
from nodes.reporting.prices import Cost
from nodes.reporting.report import Baseline, Context, Degree, Estimate, Report
from nodes.reporting.sources import Source
from nodes.state import Assessment, Contradiction, Solution
from nodes.threads.results import ThreadResult
from tests.support.server import ModelServer, outline, review

OTHER = ("error", "fault", "model")
ALIVE = "<script>alert('1')</script><img src=x onerror=\"alert(2)\">"


class Seen(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.style = ""
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass
        if tag in ("dt", "h3", "li", "p"):
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            self.style += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def call(stage: str = "solve", thread: str | None = "T1", **more: Any) -> Call:
    given = {
        "started_s": 1.0,
        "latency_s": 2.0,
        "status": "ok",
        "model": "openai:m",
        "usage": Usage(input=30, output=7),
    }
    role = "decompose" if stage == "refine" else stage
    return Call(run_id="r", role=role, thread_id=thread, **given | more)


def thread(id: str = "T1", **more: Any) -> ThreadResult:
    return ThreadResult(
        **{"id": id, "subquestion": f"What is {id}?", "status": "answered", "answer": f"It is {id}."} | more
    )


def run(**more: Any) -> Solution:
    specs = [ThreadSpec(id="T1", sources=[1, 2], subquestion="What is T1?")]
    given: dict[str, Any] = {
        "question": "What is it?",
        "answer": "It is so.",
        "outcome": "complete",
        "route": "parallel",
        "plan": ThreadPlan(shared_context="", parallelism=1, threads=specs),
        "threads": [thread()],
        "sources": [
            Source(number=1, characters=9, excerpt="What is it?"),
            Source(number=2, label="a.txt", characters=4000, excerpt="Once"),
        ],
        "calls": [call("assess", None, started_s=0.0, latency_s=1.0), call()],
        "report": Report(wall_s=4.0, calls=2, tokens=Usage(input=60, output=14, total=74)),
    }
    return Solution(**given | more)


def bars(html: str) -> list[tuple[str, float, float, str]]:
    """Kind, left, width and title of each bar of the timeline."""
    found = re.findall(r'<span class="bar ([^"]*)" style="left:([\d.]+)%;width:([\d.]+)%" title="([^"]*)"', html)
    return [(kind, float(left), float(width), title) for kind, left, width, title in found]


def test_the_run_is_there_in_words() -> None:
    text = Seen(page(run())).text
    for words in (
        "What is it?",
        "It is so.",
        "complete",
        "parallel",
        "4.0 s",
        "It is T1.",
        "a.txt",
        "4,000 characters",
    ):
        assert words in text


def test_it_is_one_file_without_scripts_or_addresses() -> None:
    html = page(run())
    seen = Seen(html)
    assert not {"script", "link", "iframe", "img", "object", "form"} & set(seen.tags)
    assert all(value.startswith("#") for _, name, value in seen.attributes if name in ("href", "src", "action"))
    assert "url(" not in seen.style and "@import" not in seen.style and "http" not in seen.style
    assert ("meta", "content", POLICY) in seen.attributes and "default-src 'none'" in POLICY
    assert ("html", "lang", "en") in seen.attributes and seen.tags["h1"] == seen.tags["main"] == 1


def test_text_from_anywhere_is_shown_and_never_alive() -> None:
    spec = ThreadSpec(id=ALIVE, sources=[1], subquestion=ALIVE)
    part = Part(number=1, question=ALIVE)
    conflict = Conflict(threads=[ALIVE], quotes=[ALIVE])
    solution = run(
        question=ALIVE,
        answer=ALIVE,
        stop_reason=ALIVE,
        assessment=Assessment(parts=[part], subquestions=[ALIVE]),
        plan=ThreadPlan(shared_context=ALIVE, threads=[spec], open_parts=[ALIVE]),
        threads=[thread(ALIVE, **dict.fromkeys(("subquestion", "answer", "text", "reasoning", *OTHER), ALIVE))],
        sources=[Source(number=1, label=ALIVE, characters=1, excerpt=ALIVE)],
        reviews=[Review(redo=[ALIVE], conflicts=[conflict])],
        contradictions=[Contradiction(thread_ids=[ALIVE], claim=ALIVE, quotes=[ALIVE])],
        calls=[call(thread=ALIVE, model=ALIVE, status=ALIVE)],
        report=Report(
            tokens_by_thread={ALIVE: Usage()},
            tokens_by_model={ALIVE: Usage()},
            baseline=Baseline(answer=ALIVE, error=ALIVE),
            costs=[Cost(model=ALIVE, source=ALIVE)],
            contexts=[Context(model=ALIVE, window=10, source=ALIVE)],
            degrees=[Degree(at_s=0, model=ALIVE, degree=1, reason=ALIVE)],
            repairs=[Repair(kind="dropped", text=ALIVE)],
            refined={ALIVE: [ALIVE]},
            settings={ALIVE: ALIVE},
        ),
    )
    plain, seen = Seen(page(run())), Seen(page(solution))
    assert not {"script", "img"} & set(seen.tags) and not [
        name for _, name, _ in seen.attributes if name.startswith("on")
    ]
    assert seen.text.count(ALIVE) > 30 and ALIVE not in plain.text


@given(st.text(max_size=200))
@settings(max_examples=60)
def test_any_text_leaves_the_page_whole(text: str) -> None:
    seen = Seen(page(run(question=text or "?", answer=text, threads=[thread(text=text, answer=text)])))
    assert seen.tags["main"] == seen.tags["footer"] == 1 and "script" not in seen.tags
    page(run(answer=text)).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["12\u00a0km", "1\u202f000", "日本\u3000語", "👩\u200d💻", "می\u200cخواهم", "one\r\ntwo"]
)
def test_letters_and_spaces_of_any_script_stay_as_they_are(text: str) -> None:
    html = page(run(answer=text))
    assert text in html and "\ufffd" not in html


@pytest.mark.parametrize("char", ["\0", "\x1b", "\x85", "\u202e", "\ud800", "\uffff"])
def test_what_cannot_be_seen_or_turns_the_text_round_is_marked(char: str) -> None:
    html = page(run(answer=f"one{char}two"))
    assert "one\ufffdtwo" in html and char not in html


@pytest.mark.parametrize("unit", ["long text ", "<&\"'>", "日本語", "\x00\x07"])
def test_it_stays_under_a_megabyte(unit: str) -> None:
    many = range(1, 65)
    long = unit * (200_000 // len(unit))
    conflicts = [Conflict(threads=[f"T{n}", f"T{n % 64 + 1}"], quotes=[long, long]) for n in many]
    solution = run(
        question=long[:100_000],
        answer=long,
        plan=ThreadPlan(
            shared_context=long,
            parallelism=8,
            threads=[ThreadSpec(id=f"T{n}", sources=[n], subquestion=long) for n in many],
        ),
        threads=[thread(f"T{n}", subquestion=long, answer=long, text=long, reasoning=long, error=long) for n in many],
        sources=[Source(number=n, label=long, characters=9, excerpt=long[:400]) for n in many],
        assessment=Assessment(parts=[Part(number=n, question=long) for n in many]),
        reviews=[Review(redo=[long] * 64, conflicts=conflicts)] * 3,
        calls=[call(thread=f"T{n % 64 + 1}{long}", model=long) for n in range(3_000)],
        report=Report(
            tokens_by_thread={f"T{n}": Usage() for n in many},
            repairs=[Repair(kind="scope", text=long)] * 64,
            settings=dict.fromkeys(map(str, many), long),
        ),
    )
    html = page(solution)
    assert len(html.encode()) < 1_000_000
    assert all(html.count(f"<li><strong>T{n}</strong>: “") == 6 for n in many)
    assert "characters are left out here" in html and "2500 more are in the JSON" in html


def test_every_call_stands_in_the_table_with_its_numbers() -> None:
    calls = [
        call(thread=f"T{n}", latency_s=n / 4, queued_s=0.5, usage=Usage(input=1000 + n, output=n)) for n in range(1, 20)
    ]
    html = page(run(calls=calls))
    for n in range(1, 20):
        row = rf"<tr><td>solve</td><td>T{n}</td>.*?>0\.50<.*?>1\.00<.*?>{n / 4:.2f}<.*?>1,0{n:02}<.*?>{n}<"
        assert re.search(row, html), n


def test_bars_stand_in_proportion_with_the_wait_before_the_work() -> None:
    html = page(
        run(calls=[call(started_s=2.0, latency_s=1.0, queued_s=1.0), call(thread="T2", started_s=0.0, latency_s=4.0)])
    )
    queued, worked, whole = bars(html)
    assert queued[:3] == ("queued", 25.0, 25.0) and worked[:3] == ("", 50.0, 25.0) and whole[1:3] == (0.0, 100.0)
    assert "queued for 1.00 s" in queued[3]


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"attempt": 2}, "", "↻2"),
        ({"hedge": True}, "hedge", "copy"),
        ({"status": "timed_out"}, "fault", "timeout"),
        ({"status": "server_error"}, "fault", "✕"),
        ({"status": "cancelled", "hedge": True}, "hedge dropped", "copy cancelled"),
    ],
)
def test_what_befell_a_call_is_marked_in_shape_and_sign(more: dict[str, Any], kind: str, said: str) -> None:
    html = page(run(calls=[call(**more)]))
    assert [found[0] for found in bars(html)] == [kind]
    assert re.findall(r'<span class="sign"[^>]*>([^<]*)<', html) == [said]


def test_signs_of_a_row_stand_beside_its_name_each_to_be_read() -> None:
    lost, won = call(status="cancelled"), call(hedge=True)
    tried = [call(thread="T2", status="timed_out"), call(thread="T2", attempt=2)]
    text = Seen(page(run(calls=[lost, won, *tried]))).text
    assert "T1 cancelled · copy" in text and "T2 timeout · ↻2" in text


def test_cached_threads_and_threads_split_again_are_marked() -> None:
    report = Report(
        tokens_by_thread={"T1": Usage(input=5, total=5), "T1.1": Usage()},
        refined={"T1": ["T1.1", "T1.2"]},
        marks={"T1": ["too_long"]},
    )
    html = page(
        run(threads=[thread("T1.1", cached=True), thread("T1.2", marks=["repetitive"])], report=report, calls=[call()])
    )
    text = Seen(html).text
    assert re.search("T1 ?split again", text) and "its material does not fit the context window" in text
    assert "split into T1.1, T1.2" in text and "Sign of context rot: its text repeats itself." in text
    assert "from the cache" in text and "cached" in [kind for kind, *_ in bars(html)]


def test_an_estimate_is_called_one_and_a_measurement_too() -> None:
    estimate = Estimate(output=80, token_latency=1.5, token_multiplier=1.2)
    assert "An estimate, not a measurement." in Seen(page(run(report=Report(estimate=estimate)))).text
    base = Baseline(
        answer="Otherwise.", wall_s=8.0, tokens=Usage(output=50, total=60), wall_ratio=2.0, token_latency=1.25
    )
    text = Seen(page(run(report=Report(wall_s=4, estimate=estimate, baseline=base)))).text
    assert "An estimate" not in text and "Measured" in text and "2.00 × as fast" in text and "Otherwise." in text
    slower = page(
        run(report=Report(wall_s=4, baseline=Baseline(wall_ratio=0.25, token_latency=0.5, token_multiplier=0.5)))
    )
    assert "4.00 × as slow" in slower and "2.00 × as many" in slower and "2.00 × fewer" in slower
    failed = Seen(page(run(report=Report(baseline=Baseline(error="it was cut"))))).text
    assert "gave no whole answer" in failed and "it was cut" in failed and "unknown" in failed


@pytest.mark.parametrize(
    ("solution", "said"),
    [
        (Solution(), ["There is no answer.", "No model was called."]),
        (Solution(question="Why?", outcome="failed", stop_reason="no key"), ["Why?", "failed", "no key"]),
        (run(route="direct", plan=None, threads=[], calls=[call("solve", None)]), ["direct", "1 call as a table"]),
    ],
    ids=["empty", "failed", "direct"],
)
def test_runs_without_threads_have_a_page(solution: Solution, said: list[str]) -> None:
    seen = Seen(page(solution))
    assert all(words in seen.text for words in said)
    ids = {value for _, name, value in seen.attributes if name == "id"}
    assert all(value[1:] in ids for _, name, value in seen.attributes if name == "href")


ANN, BEN = Part(number=1, sources=[2], question="How old is Ann?"), Part(number=2, question="How old is Ben?")
BOTH = Part(number=3, needs=[1, 2], question="How old are #1 and #2 together?")


@pytest.mark.parametrize(
    ("parts", "ready", "answer", "said"),
    [
        ([], 0, "list", "The model found nothing to split."),
        ([ANN], 1, "text", "found 1 part: nothing that can be worked on at the same time."),
        ([ANN, BEN], 2, "list", "found 2 parts, all of which can be worked on at the same time; the results in"),
        ([ANN, BEN, BOTH], 2, "text", "found 3 parts, 2 of which can be worked on at the same time; the answer must"),
    ],
)
def test_what_the_model_found_to_split_is_said_in_true_words(
    parts: list[Part], ready: int, answer: Any, said: str
) -> None:
    asked = [part.question for part in parts[:ready]]
    assessment = Assessment(parts=parts, answer=answer, subquestions=asked, decomposable=ready > 1)
    text = Seen(page(Solution(answer="It.", assessment=assessment))).text
    assert said in text and "all the same" not in text
    assert all(part.question in text for part in parts)
    assert ("needs the results of parts 1, 2" in text) == (BOTH in parts) and ("reads 2" in text) == (ANN in parts)


@pytest.mark.parametrize(("answer", "said"), [("list", "in turn are the answer"), ("text", "is written from their")])
def test_a_plan_tells_what_becomes_of_the_results_and_what_is_left_to_the_end(answer: Any, said: str) -> None:
    plan = ThreadPlan(threads=[ThreadSpec(id="T1", subquestion="?")], answer=answer, open_parts=["How old are both?"])
    text = Seen(page(run(plan=plan, assessment=Assessment()))).text
    assert said in text and "Worked out where the results come together How old are both?" in text
    assert "found nothing to split. It was split all the same." in text


def test_what_a_review_found_is_shown_with_the_words_of_each() -> None:
    conflict = Conflict(threads=["T1", "T2"], quotes=["the Po, 690 km", "652 km"])
    reviews = [Review(redo=["T3: 7 * 12 is 84"], conflicts=[conflict]), Review(answer="It.")]
    stands = Contradiction(claim="?", thread_ids=["T1", "T2"], quotes=conflict.quotes)
    text = Seen(page(run(reviews=reviews, contradictions=[stands]))).text
    assert "First pass To be done again: T3: 7 * 12 is 84" in text
    assert text.count("T1: “the Po, 690 km” T2: “652 km”") == 2 and "Round 1 Nothing was found wrong." in text


def test_repairs_are_shown_in_words_and_checks_with_what_they_found() -> None:
    repair = Repair(kind="left_to_join", part=3, text="part 3 needs other results")
    text = Seen(page(run(report=Report(repairs=[repair]), threads=[thread(checked=True, fault="3 * 4 is 12")]))).text
    assert "part 3 needs other results" in text
    assert "checked on its own" in text and "A check of its own found: 3 * 4 is 12" in text


async def test_a_question_that_is_a_list_is_shown_as_what_it_is(server: ModelServer, context: dict[str, Any]) -> None:
    server.on("assess", outline("1", "2", answer="list")).on("review", review("", "T2: it is not"), review())
    question = "1. Who wrote Hamlet?\n2. How long is the Po?"
    solution = Solution.model_validate(await graph.ainvoke({"question": question}, context=context))
    text = Seen(page(solution)).text
    assert "found 2 parts, all of which can be worked on at the same time; the results in turn are the answer" in text
    assert "2 threads, 2 at once; their results in turn are the answer." in text
    assert "First pass To be done again: T2: it is not Round 1 Nothing was found wrong." in text


def test_a_forecast_is_shown_with_both_figures() -> None:
    found = Assessment(subquestions=["a", "b"], decomposable=True)
    ahead = Forecast(threads=2, split_s=9.0, single_s=4.0)
    text = Seen(page(Solution(answer="It.", assessment=found, report=Report(forecast=ahead)))).text
    assert "Forecast: splitting into 2 threads cannot save time: 9.0 s are forecast, 4.0 s in one call" in text


def test_money_that_is_not_known_is_called_unknown() -> None:
    assert "Cost unknown" in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page(run())))
    assert "$0.0123" in page(run(report=Report(cost_usd=0.0123)))
