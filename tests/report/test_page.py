"""The page of a run: all of it there, nothing in it alive, never too large."""

import base64
import hashlib
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphs.page.page import POLICY, page
from nodes.judging.verdicts import Conflict, Review
from nodes.llm.endpoints.usage import Usage
from nodes.planning.outline import Part
from nodes.planning.plan import ThreadPlan, ThreadSpec
from nodes.planning.repair import Repair
from nodes.reporting.prices import Cost
from nodes.reporting.report import Baseline, Context, Degree, Report
from nodes.reporting.sources import Source
from nodes.state import Assessment, Contradiction, Solution
from tests.support.subjects.page import Seen, bars, call, run, thread

OTHER = ("error", "fault", "model")
ALIVE = "<script>alert('1')</script><img src=x onerror=\"alert(2)\">"


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


def test_it_is_one_file_without_addresses_and_only_its_own_script_can_run() -> None:
    html = page(run())
    seen = Seen(html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.S)
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{allowed}';" in POLICY and "fetch" not in script and "innerHTML" not in script
    assert not {"link", "iframe", "img", "object", "form"} & set(seen.tags)
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
    assert seen.tags["script"] == 1 and "img" not in seen.tags
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert seen.text.count(ALIVE) > 30 and ALIVE not in plain.text


@given(st.text(max_size=200))
@settings(max_examples=60)
def test_any_text_leaves_the_page_whole(text: str) -> None:
    seen = Seen(page(run(question=text or "?", answer=text, threads=[thread(text=text, answer=text)])))
    assert seen.tags["main"] == seen.tags["footer"] == seen.tags["script"] == 1
    page(run(answer=text)).encode("utf-8")


@pytest.mark.parametrize(
    "text", ["12\u00a0km", "1\u202f000", "日本\u3000語", "👩\u200d💻", "می\u200cخواهم", "one\r\ntwo"]
)
def test_letters_and_spaces_of_any_script_stay_as_they_are(text: str) -> None:
    html = page(run(threads=[thread(answer=text)]))
    assert text in html and "\ufffd" not in html


@pytest.mark.parametrize("char", ["\0", "\x1b", "\x85", "\u202e", "\ud800", "\uffff"])
def test_what_cannot_be_seen_or_turns_the_text_round_is_marked(char: str) -> None:
    html = page(run(answer=f"one{char}two"))
    assert "one\ufffdtwo" in html and char not in html


@pytest.mark.at_most(1)
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
