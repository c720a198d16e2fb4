"""Questions in which plain code once overruled the model, each in four languages, with the outline a model writes."""

from typing import NamedTuple

from nodes.input.segments import split_input
from nodes.planning.outline import AnswerForm

LANGUAGES = ("en", "de", "zh", "ar")


class Asked(NamedTuple):
    """A question, and the lines of its outline; `*` stands for a line for each item of its list."""

    question: str
    lines: tuple[str, ...]


class Row(NamedTuple):
    """A question in every language; whichever it is, the same comes of it."""

    said: AnswerForm
    """What the model says that the results are."""
    threads: int
    answer: AnswerForm
    """What they are."""
    asked: dict[str, Asked]
    documents: tuple[str, ...] = ()
    waiting: int = 0
    """Parts that are left to the review."""


def lines_of(asked: Asked) -> list[str]:
    """Write the lines out."""
    items = [str(segment.number) for segment in split_input(asked.question) if segment.marker]
    return [line for written in asked.lines for line in (items if written == "*" else [written])]


PLANETS = {
    "en": ("- Mars\n- Venus\n- Jupiter", "Which of these planets is the largest?"),
    "de": ("- Mars\n- Venus\n- Jupiter", "Welcher dieser Planeten ist der größte?"),
    "zh": ("- 火星\n- 金星\n- 木星", "这些行星中哪颗最大？"),
    "ar": ("- المريخ\n- الزهرة\n- المشتري", "أي هذه الكواكب هو الأكبر؟"),
}
TASKS = {
    "en": ("1. Two and two?\n2. Three and four?", "Also, who wrote Hamlet?"),
    "de": ("1. Zwei und zwei?\n2. Drei und vier?", "Und wer schrieb Hamlet?"),
    "zh": ("1. 二加二？\n2. 三加四？", "另外，谁写了《哈姆雷特》？"),
    "ar": ("1. كم اثنان زائد اثنين؟\n2. كم ثلاثة زائد أربعة؟", "وأيضا من كتب هاملت؟"),
}
GUERNICA = {
    "en": ("Who painted Guernica?", "Where does it hang?", "When was it painted?"),
    "de": ("Wer malte Guernica?", "Wo hängt es?", "Wann wurde es gemalt?"),
    "zh": ("谁画了《格尔尼卡》？", "它挂在哪里？", "它是什么时候画的？"),
    "ar": ("من رسم غيرنيكا؟", "أين تعلق؟", "متى رسمت؟"),
}


def over_a_list(layout: str) -> dict[str, Asked]:
    """What is asked over a list, here or there."""
    return {name: Asked(layout.format(list=items, over=over), ("*",)) for name, (items, over) in PLANETS.items()}


def with_hamlet(layout: str) -> dict[str, Asked]:
    """A list, and something else that is asked."""
    return {name: Asked(layout.format(list=items, also=also), ("*", also)) for name, (items, also) in TASKS.items()}


def in_words(**asked: tuple[str, ...]) -> dict[str, Asked]:
    """A question, and its parts in words of their own."""
    return {name: Asked(question, lines) for name, (question, *rest) in asked.items() if (lines := tuple(rest))}


ROWS = {
    "over a list, before": Row("list", 3, "text", over_a_list("{over}\n{list}")),
    "over a list, before, CRLF": Row("list", 3, "text", over_a_list("{over}\r\n\r\n{list}")),
    "over a list, after": Row("list", 3, "text", over_a_list("{list}\n\n{over}")),
    "over a list, after, CRLF": Row("list", 3, "text", over_a_list("{list}\r\n\r\n{over}\r\n")),
    "over a list, on the next line": Row("text", 3, "text", over_a_list("{list}\n{over}")),
    "over a list, inside its last item": Row("text", 3, "text", over_a_list("{list}. {over}")),
    "each, and which one": Row(
        "list",
        2,
        "text",
        in_words(
            en=(
                "Name the author of each of these files and say which one wrote more.",
                "1 2",
                "1 3",
                "Is #1 or #2 more?",
            ),
            de=("Nenne die Verfasser der Dateien und sage, wer mehr schrieb.", "1 2", "1 3", "Ist #1 oder #2 mehr?"),
            zh=("说出每个文件的作者，并说明谁写得更多。", "1 2", "1 3", "#1 和 #2 哪个更多？"),
            ar=("اذكر مؤلف كل ملف وقل من كتب أكثر.", "1 2", "1 3", "هل #1 أكثر أم #2؟"),
        ),
        documents=("a.txt", "b.txt"),
        waiting=1,
    ),
    "each, and which one, for the model to write": Row(
        "text",
        2,
        "text",
        in_words(
            en=("Name the author of each of these files and say which one wrote more.", "1 2", "1 3"),
            de=("Nenne die Verfasser der Dateien und sage, wer mehr schrieb.", "1 2", "1 3"),
            zh=("说出每个文件的作者，并说明谁写得更多。", "1 2", "1 3"),
            ar=("اذكر مؤلف كل ملف وقل من كتب أكثر.", "1 2", "1 3"),
        ),
        documents=("a.txt", "b.txt"),
    ),
    "a list, and something else after it": Row("list", 3, "list", with_hamlet("{list}\n\n{also}")),
    "a list, and something else before it": Row("list", 3, "list", with_hamlet("{also}\n\n{list}")),
    "what seems to combine": Row(
        "text",
        3,
        "text",
        in_words(
            en=("Is it better to lease or to buy a car?", "What does leasing cost?", "What does buying cost?")
            + ("What are the total taxes when you lease or buy?",),
            de=("Soll man ein Auto leasen oder kaufen?", "Was kostet Leasing?", "Was kostet der Kauf?")
            + ("Wie hoch sind die Steuern insgesamt?",),
            zh=("租车好还是买车好？", "租车要多少钱？", "买车要多少钱？", "租车或买车的税一共多少？"),
            ar=("هل الأفضل استئجار سيارة أم شراؤها؟", "كم يكلف الاستئجار؟", "كم يكلف الشراء؟", "كم مجموع الضرائب؟"),
        ),
    ),
    "what seems a story": Row(
        "text",
        3,
        "text",
        in_words(
            en=("We are 4 people with a budget of 3000 euros. How much do flights, hotels and passes cost?",)
            + ("What do flights cost?", "What do hotels cost?", "What do passes cost?"),
            de=("Wir sind 4 Leute und haben 3000 Euro. Was kosten Flüge, Hotels und Pässe?",)
            + ("Was kosten die Flüge?", "Was kosten die Hotels?", "Was kosten die Pässe?"),
            zh=(
                "我们有4个人，预算3000欧元。机票、酒店和通票要多少钱？",
                "机票多少钱？",
                "酒店多少钱？",
                "通票多少钱？",
            ),
            ar=("نحن 4 أشخاص وميزانيتنا 3000 يورو. كم تكلف الرحلات والفنادق والتذاكر؟",)
            + ("كم تكلف الرحلات؟", "كم تكلف الفنادق؟", "كم تكلف التذاكر؟"),
        ),
    ),
    "what seems one piece": Row(
        "list",
        3,
        "list",
        in_words(
            en=("Draft a letter to my landlord, list our rights, estimate the cost.",)
            + ("Draft a letter to my landlord", "list our rights", "estimate the cost"),
            de=("Entwirf einen Brief an den Vermieter, liste unsere Rechte auf, schätze die Kosten.",)
            + ("Entwirf einen Brief an den Vermieter", "liste unsere Rechte auf", "schätze die Kosten"),
            zh=("给房东写一封信，列出我们的权利，估算费用。", "给房东写一封信", "列出我们的权利", "估算费用"),
            ar=(
                "اكتب رسالة إلى المالك، اذكر حقوقنا، قدر التكلفة.",
                "اكتب رسالة إلى المالك",
                "اذكر حقوقنا",
                "قدر التكلفة",
            ),
        ),
    ),
    "a number sign of the user's own": Row(
        "list",
        2,
        "list",
        in_words(
            en=("Who wrote Hamlet? Which book was the #1 bestseller of 1990?", "Who wrote Hamlet?")
            + ("Which book was the #1 bestseller of 1990?",),
            de=("Wer schrieb Hamlet? Welches Buch war 1990 #1?", "Wer schrieb Hamlet?", "Welches Buch war 1990 #1?"),
            zh=("谁写了《哈姆雷特》？哪本书是1990年的#1？", "谁写了《哈姆雷特》？", "哪本书是1990年的#1？"),
            ar=("من كتب هاملت؟ أي كتاب كان #1 عام 1990؟", "من كتب هاملت؟", "أي كتاب كان #1 عام 1990؟"),
        ),
    ),
    "items that lean on earlier ones": Row(
        "list",
        3,
        "list",
        {
            name: Asked("\n".join(f"{n}. {item}" for n, item in enumerate(items, 1)), ("*",))
            for name, items in GUERNICA.items()
        },
    ),
    "a part that needs another's result": Row(
        "list",
        3,
        "text",
        in_words(
            en=("How tall is the tower, who built it, and how many feet is that?", "How tall is the tower?")
            + ("Who built the tower?", "Convert #1 to feet."),
            de=("Wie hoch ist der Turm, wer baute ihn, und wie viele Fuß sind das?", "Wie hoch ist der Turm?")
            + ("Wer baute den Turm?", "Rechne #T1 in Fuß um."),
            zh=("塔有多高，谁建的，合多少英尺？", "塔有多高？", "谁建了塔？", "把#1换算成英尺。"),
            ar=("كم ارتفاع البرج ومن بناه وكم قدما هذا؟", "كم ارتفاع البرج؟", "من بنى البرج؟", "حول # 1 إلى أقدام."),
        ),
    ),
}
