"""Making a plan that can be run out of what a model wrote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.plan import Plan, Repaired, ThreadSpec, faults, repair
from nodes.retrieval import most_relevant
from nodes.segments import Segment, split_input

CODE = "```python\ndef f(x):\n    # Why? Who knows.\n    return 1. + x\n```"


SEGMENTS = split_input("Ana has 3 boxes. She gives away 5 pens. How many does she keep? Who wrote Faust?", [("d", "…")])


def thread(subquestion: str, *sources: int, id: str = "T1") -> ThreadSpec:
    return ThreadSpec(id=id, sources=list(sources), subquestion=subquestion)


def mend(*threads: ThreadSpec, shared: str = "", parallelism: int = 2, most: int = 16, at_once: int = 8) -> Plan:
    """Repair a plan over SEGMENTS."""
    written = Plan(shared_context=shared, parallelism=parallelism, threads=list(threads))
    return repair(written, SEGMENTS, max_threads=most, max_parallel=at_once).plan


def test_ids_become_unique_and_stable() -> None:
    plan = mend(thread("a?", id="x"), thread("b?", id="x"), thread("c?", id="T1"))
    assert [(spec.id, spec.subquestion) for spec in plan.threads] == [("T1", "a?"), ("T2", "b?"), ("T3", "c?")]


def test_unknown_segments_are_dropped_and_known_ones_kept_in_order() -> None:
    assert mend(thread("a?", 99, 3, 1, 3, 0, -1)).threads[0].sources == [1, 3]


def test_only_true_duplicates_are_merged() -> None:
    plan = mend(thread("Who?", 4), thread(" who? ", 4, 77), thread("Who?", 3), thread("  "))
    assert [(spec.subquestion, spec.sources) for spec in plan.threads] == [("Who?", [4]), ("Who?", [3])]


def test_threads_beyond_the_limit_are_folded_into_the_last() -> None:
    plan = mend(thread("a?", 1), thread("b?", 4), thread("c?", 2), thread("d?", 3), most=2)
    assert [(spec.subquestion, spec.sources) for spec in plan.threads] == [("a?", [1]), ("b?\nc?\nd?", [2, 3, 4])]


@pytest.mark.parametrize(
    ("suggested", "threads", "at_once", "degree"),
    [(2, 3, 8, 2), (50, 3, 8, 8), (0, 3, 8, 3), (-4, 3, 2, 2), (1, 3, 8, 3), (1, 1, 8, 1), (1, 3, 1, 1), (0, 0, 8, 1)],
)
def test_parallelism_is_the_models_within_the_callers_limit(
    suggested: int, threads: int, at_once: int, degree: int
) -> None:
    specs = [thread(f"{number}?", 1) for number in range(threads)]
    assert mend(*specs, parallelism=suggested, at_once=at_once).parallelism == degree


def test_what_no_thread_names_is_shared_by_all() -> None:
    plan = mend(thread("How many?", 2, 3), thread("Who?", 4), shared="Think of pens.")
    assert plan.shared_context == "Think of pens.\nAna has 3 boxes."


def test_what_threads_name_for_themselves_is_not_told_to_the_others() -> None:
    plan = mend(
        thread("How many?", 1, 2, 3), thread("Who?", 4), shared="Pens:\nAna has 3 boxes. She gives away 5 pens.\nHurry."
    )
    assert plan.shared_context == "Pens:\nHurry."


def test_cutting_one_segment_takes_no_other_with_it() -> None:
    segments = [Segment(number=1, text="one,\n  two"), Segment(number=2, text="Read: one,\n  two and three")]
    written = Plan(shared_context="", parallelism=2, threads=[thread("a?", 2), thread("b?", 2)])
    for shared in ("", "Read: one,\n  two and three"):
        plan = repair(
            written.model_copy(update={"shared_context": shared}), segments, max_threads=8, max_parallel=8
        ).plan
        assert plan.shared_context == "one,\n  two"


def test_an_unread_document_is_noted_and_not_copied() -> None:
    written = Plan(shared_context="", parallelism=2, threads=[thread("a?", 1, 2), thread("b?", 3, 4, id="T2")])
    repaired = repair(written, SEGMENTS, max_threads=8, max_parallel=8)
    assert repaired == (written, ["document 5 (d) is read by no thread"])


def test_a_thread_gets_the_document_that_it_names_in_words() -> None:
    segments = [
        Segment(number=1, text="Which bugs are there?"),
        Segment(number=2, text="…", kind="document", label="src/cart.py"),
        Segment(number=3, text="…", kind="document", label="src/login.py"),
        Segment(number=4, text="…", kind="document", label="a"),
    ]
    threads = [thread("Which bugs does Cart.py have?", 1), thread("Is a bug in login.py or mycart.py?", 1, 3, id="T2")]
    plan, repairs = repair(
        Plan(shared_context="", parallelism=2, threads=threads), segments, max_threads=8, max_parallel=8
    )
    assert [spec.sources for spec in plan.threads] == [[1, 2], [1, 3]]
    assert repairs == [
        "thread T1: added segments 2, which it names in words",
        "document 4 (a) is read by no thread",
    ]


MANUALS = [
    Segment(number=1, text="How long does the kettle last, and who repairs the mixer?"),
    Segment(number=2, text="The kettle has a guarantee of 30 months.", kind="document", label="kettle.txt"),
    Segment(number=3, text="Petra repairs it; the guarantee is a year.", kind="document", label="mixer.txt"),
    Segment(number=4, text="The oven is lit on Monday mornings.", kind="document", label="oven.txt"),
]


@pytest.mark.parametrize(
    ("subquestion", "reads", "sources"),
    [
        ("How long does the kettle's guarantee last?", [1, 4], [1, 2, 4]),
        ("Who repairs the mixers?", [], [3]),
        ("On which mornings is something lit?", [2], [2, 4]),  # two words, none of them in a name
        ("Who repairs the mixer?", [1, 3], [1, 3]),
        ("How long is the guarantee?", [4], [4]),  # of two documents neither stands out
        ("Is Petra there?", [4], [4]),  # one word is no evidence
        ("How long does the oven of the kettle last?", [2], [2]),  # what is given is as close
        ("What is the capital of France?", [1], [1]),
        ("Is it broken?", [1], [1]),
    ],
)
def test_a_thread_gets_the_document_that_its_words_are_about(
    subquestion: str, reads: list[int], sources: list[int]
) -> None:
    threads = [thread(subquestion, *reads), thread("And what of this?", 2, 3, 4, id="T2")]
    plan, repairs = repair(
        Plan(shared_context="", parallelism=2, threads=threads), MANUALS, max_threads=8, max_parallel=8
    )
    assert plan.threads[0].sources == sources
    added = set(sources) - set(reads)
    assert [line for line in repairs if "words are about" in line] == [
        f"thread T1: added segment {number}, which its words are about" for number in added
    ]


LIST = """Solve these.
1. John runs 3 miles and eats 200 calories. How many calories has he left?
2. A builder is paid 40 dollars a day. How much does the builder earn in a week?
3. Toby walks home in 20 minutes. How many minutes early is Toby?"""


def test_a_thread_gets_the_item_of_a_list_that_its_words_are_about() -> None:
    # A small model takes the list's own numbers for those of the segments.
    threads = [
        thread("How many calories has John left?", 1),
        thread("How much does the builder earn in a week?", 2, id="T2"),
        thread("How many minutes early is Toby?", 3, id="T3"),
    ]

    def repaired(*threads: ThreadSpec) -> Repaired:
        written = Plan(shared_context="", parallelism=len(threads), threads=list(threads))
        return repair(written, split_input(LIST), max_threads=8, max_parallel=8)

    plan, repairs = repaired(*threads)
    assert [spec.sources for spec in plan.threads] == [[1, 2], [3], [4]]
    assert repairs[0] == "thread T1: put in segment 2, the item that its words are about"
    assert len(faults(repairs)) == 3
    right = [spec.model_copy(update={"sources": [number]}) for number, spec in enumerate(threads, 2)]
    assert faults(repaired(*right).repairs) == []
    both = thread("Does the builder earn in a week what Toby does?", 2, 3)
    assert repaired(both, right[0]).plan.threads[0].sources == [2, 3]


def test_long_documents_are_searched_in_no_time() -> None:
    # Quadratic work over this many characters takes minutes.
    texts = ["Kettles boil. " * 100_000, "unmill " * 200_000, "kettle " * 200_000, "mill " * 200_000 + "loom"]
    documents = [
        Segment(number=number, text=text, kind="document", label=str(number)) for number, text in enumerate(texts, 2)
    ]
    assert most_relevant("How do mills use a loom, a dryer, or a thing unseen?", documents, [2]) == 5


QUESTIONS = ["What is the capital?", "what is  the capital? ", "Who wrote it?", "Name x.", "列出所有。", "", " \n"]
SENTENCES = [
    "Ana has 3 boxes of pens.",
    "She gives away 5 pens.",
    "Why?",
    "- a list\n  item",
    CODE,
    "Be brief.",
    "谁？",
]
PLANS = st.builds(
    Plan,
    shared_context=st.one_of(st.lists(st.sampled_from(SENTENCES)).map(" ".join), st.text(max_size=20)),
    parallelism=st.integers(-3, 40),
    threads=st.lists(
        st.builds(
            ThreadSpec,
            id=st.sampled_from(["T1", "T2", "T3", "1", "", "x"]),
            sources=st.lists(st.integers(-1, 9), max_size=5),
            subquestion=st.sampled_from(QUESTIONS),
        ),
        max_size=9,
    ),
)
INPUTS = st.builds(
    lambda texts, documents: split_input("\n\n".join(texts), [("doc", text) for text in documents]),
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6),
    st.lists(st.sampled_from(SENTENCES), max_size=2),
)


def words(text: str) -> str:
    return " ".join(text.casefold().split())


@given(PLANS, INPUTS, st.integers(2, 6), st.integers(1, 6))
def test_every_repaired_plan_can_be_run_and_loses_nothing(
    written: Plan, segments: list[Segment], max_threads: int, max_parallel: int
) -> None:
    plan, repairs = repair(written, segments, max_threads=max_threads, max_parallel=max_parallel)
    named = {number for spec in plan.threads for number in spec.sources}

    assert [spec.id for spec in plan.threads] == [f"T{number}" for number in range(1, len(plan.threads) + 1)]
    assert len(plan.threads) <= max_threads and 1 <= plan.parallelism <= max_parallel
    assert named <= {segment.number for segment in segments}
    assert all(spec.subquestion.strip() and spec.sources == sorted(set(spec.sources)) for spec in plan.threads)
    kept = "\n".join(words(spec.subquestion) for spec in plan.threads)
    left = sum(line.startswith("left to the review") for line in repairs)
    assert sum(words(spec.subquestion) not in kept for spec in written.threads) <= left
    for segment in segments:
        assert segment.kind == "document" or segment.number in named or segment.text in plan.shared_context


@given(PLANS, INPUTS, st.integers(2, 6), st.integers(1, 6))
def test_a_repaired_plan_needs_no_repair(
    written: Plan, segments: list[Segment], max_threads: int, max_parallel: int
) -> None:
    once = repair(written, segments, max_threads=max_threads, max_parallel=max_parallel).plan
    twice = repair(once, segments, max_threads=max_threads, max_parallel=max_parallel)
    assert twice.plan == once
    assert [note for note in twice.repairs if not note.endswith("is read by no thread")] == []


@given(PLANS, INPUTS)
def test_every_change_is_told(written: Plan, segments: list[Segment]) -> None:
    plan, repairs = repair(written, segments, max_threads=4, max_parallel=4)
    about = {line.split()[0].rstrip(":") for line in repairs}
    assert (plan.parallelism != written.parallelism) == ("parallelism" in about)
    assert plan.shared_context == written.shared_context.strip() or "shared" in about
    assert (plan.threads != written.threads) == bool(about & {"thread", "renumbered", "folded", "left"})


def test_what_completes_a_plan_is_no_fault_of_it() -> None:
    segments = split_input("Who? Where?", [("a.txt", "text"), ("b.txt", "text")])
    threads = [
        ThreadSpec(id="T1", sources=[1, 3], subquestion="Who?"),
        ThreadSpec(id="T2", sources=[2], subquestion="Where?"),
    ]
    plan = Plan(shared_context="", parallelism=2, threads=threads)
    repairs = repair(plan, segments, max_threads=8, max_parallel=8).repairs
    assert repairs == ["document 4 (b.txt) is read by no thread"] and faults(repairs) == []
    wrong = plan.model_copy(update={"parallelism": 9, "threads": [*threads, threads[0]]})
    assert len(faults(repair(wrong, segments, max_threads=8, max_parallel=8).repairs)) == 2


def test_a_name_that_moves_up_is_no_fault_and_one_given_twice_is() -> None:
    first, second, third = thread("All of these?", 1), thread("Two?", 2, id="T2"), thread("Three?", 3, id="T3")
    plan = Plan(shared_context="", parallelism=2, threads=[first, second, third])
    repairs = repair(plan, LISTED, max_threads=8, max_parallel=8).repairs
    assert repairs[1:3] == ["renumbered: thread 'T2' is now T1", "renumbered: thread 'T3' is now T2"]
    assert faults(repairs) == []
    twice = plan.model_copy(update={"threads": [second, third, third.model_copy(update={"subquestion": "Four?"})]})
    assert faults(repair(twice, LISTED, max_threads=8, max_parallel=8).repairs) == ["thread 'T3' is now T2"]


LISTED = split_input("Solve these.\n1. Two and two?\n2. Three and four?\nThen add them up.")
