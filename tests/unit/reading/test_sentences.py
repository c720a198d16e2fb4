"""Where a sentence ends and what asks, in any script."""

import pytest
import sentencex

from nodes.input.sentences import has_question_mark, sentences
from tests.support.inputs import split_question


@pytest.mark.parametrize(
    "whole",
    [
        "Ich suche z. B. ein Golf.",
        "Was geschah am 3. Oktober 1990?",
        "Wer wohnt in der Goethestr. 5 in Bonn?",
        "She got a Ph.D. in physics.",
        "Who founded Yahoo! Inc. in 1994?",
        "Did Jeopardy! air in 1964?",
        "It opens in Jan. and closes in Feb. each year.",
        "Use tools, e.g. Python vs. Java.",
        "What is No. 5 by Chanel?",
        "When was J. R. R. Tolkien born?",
        "Dr. Smith met J. K. Rowling at 3 p.m. today.",
        "А. С. Пушкин родился в 1799 г. в Москве.",
        "Qui est Mme. Curie ?",
        "Il dott. Rossi abita a Roma?",
        "El Sr. García vive en EE. UU. desde 1990.",
        "GDP of France, which joined the euro, and what is it?",
        "Tell me: what is 2+2; how far is Mars?",
        'What does "Who am I? I am you." mean in French?',
        "彼は「どこ？」と聞いた。",
        "What does `a. B? C` do?",
        "What does ``a ` b? C`` do?",
        "Is x ? y : z an expression?",
        "Is https://example.com/a?b=c.Html up?",
        "Is v1.2.3 newer than System.Out?",
        "Wait... what?",
        "Փարիզը Ո՞ր երկրում է։",
    ],
)
def test_there_is_no_cut_inside_a_sentence(whole: str) -> None:
    assert split_question(whole) == sentences(whole) == [whole]
    assert split_question(f"{whole}\n\nWhy so? What then?") == [whole, "Why so?", "What then?"]


@pytest.mark.parametrize(
    "told",
    [
        ["Who wrote Hamlet?", "What is 12*7?"],
        ["who wrote hamlet?", "what is 12*7?", "and why?"],
        ["Ana has 3 boxes.", "She gives away 5 pens.", "How many are left?"],
        ["Is pi 3.14?", "Is v1.2.3 newer than v1.2?"],
        ["What?!", "Really?"],
        ['He said "no."', 'Then "why?"', "Done."],
        ["ما هي عاصمة فرنسا؟", "من كتب هاملت؟"],
        ["فرانس کا دارالحکومت کیا ہے۔", "ہیملٹ کس نے لکھا؟"],
        ["Ποια είναι η πρωτεύουσα\u037e", "Ποιος έγραψε τον Άμλετ\u037e"],
        ["Ποια είναι η πρωτεύουσα;", "Ποιος έγραψε τον Άμλετ;"],
        ["फ्रांस की राजधानी क्या है।", "हैमलेट किसने लिखा।"],
        ["የፈረንሳይ ዋና ከተማ ማን ነው፧", "ሃምሌት ማን ጻፈ፧"],
        ["Is it so⁇", "Why⸮", "Then go."],
    ],
)
def test_a_text_is_cut_where_its_script_ends_a_sentence(told: list[str]) -> None:
    assert sentences(" ".join(told)) == told
    assert sentences("\n".join(told)) == told
    if sum(map(has_question_mark, told)) > 1:
        assert split_question(" ".join(told)) == told


@pytest.mark.parametrize(
    "told", ["A baker makes 40 rolls. She sells half. How many are left?", "Tell one. Tell two.", "Facts.\n\nWhy?"]
)
def test_what_asks_once_stays_whole(told: str) -> None:
    assert split_question(told) == [told]
    assert split_question(f"{told}\n- one\n- two") == [told, "- one", "- two"]


@pytest.mark.parametrize(
    "told", [["法国的首都是哪里？", "谁写了《红楼梦》？", "很好。"], ["首都はどこですか。", "書いたのは誰ですか"]]
)
def test_chinese_and_japanese_need_no_space_between_sentences(told: list[str]) -> None:
    assert sentences("".join(told)) == told


@pytest.mark.parametrize("mark", list("?？؟\u037e⸮⁇፧՞﹖꘏") + ["?”", "？」", "?) ", "?**", "α;"])
def test_a_question_mark_is_known_in_every_script(mark: str) -> None:
    assert has_question_mark(f"Is it so{mark}") and not has_question_mark(f"{mark} It is.")


@pytest.mark.parametrize("text", ["", "?!x", "It is;", "¿", ".", ")", "a: b;"])
def test_other_marks_ask_nothing(text: str) -> None:
    assert not has_question_mark(text)


def test_a_text_that_the_splitter_cannot_read_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """What a fault in the splitter is raised as."""

    def panic(language: str, text: str) -> list[str]:
        raise PanicException(language, text)

    monkeypatch.setattr(sentencex, "segment", panic)
    assert split_question("Is this the one? It is not.") == ["Is this the one? It is not."]
