"""How a run works: when it splits, how it checks, what people approve, when it stops."""

from typing import Literal

from pydantic import BaseModel, Field

HeadStart = Literal["auto", "on", "off"]
SharePrefix = Literal["auto", "on", "off"]
Split = Literal["if_faster", "if_independent", "always"]
Oversight = Literal["none", "plan", "answer", "both"]
ReviewMode = Literal["auto", "off", "brief", "careful"]
StopWhen = Literal["all", "first_answer", "agreement"]


class WorkKnobs(BaseModel):
    """How a run works: when it splits, how it checks, what people approve, when it stops."""

    split: Split = Field(
        "if_faster",
        description="When to split a question with independent parts. `if_faster` skips a split that is forecast to "
        "take over 25 % and over 1 s longer than one call (100 % until replies were seen). `if_independent` skips "
        "none. `always` splits every question.",
    )
    head_start: HeadStart = Field(
        "auto",
        description="Begin the direct answer while the question is assessed, and threads while the outline is "
        "written. `auto` does so where the time that it saves is worth the tokens, `on` always, `off` never. Where "
        "calls slow each other down, `auto` tries the answer to a short question first.",
    )
    share_prefix: SharePrefix = Field(
        "auto",
        description="Threads whose prompts share their first 1,024 tokens wait until the reply to the first of them "
        "begins, at most 2 s. The server then reads these tokens once. `auto` waits where a server has reported cached "
        "tokens and does not batch, `on` always, `off` never.",
    )
    oversight: Oversight = Field(
        "none",
        description="What a person approves: the plan before any thread runs (`plan`), the answer before anyone "
        "uses it (`answer`), or both (`both`). Needs a checkpointer, because the run waits.",
    )
    scoped: bool = Field(
        True,
        description="Show each thread only the segments that it needs. If off, every thread reads the whole input.",
    )
    review: ReviewMode = Field(
        "auto",
        description="How to check results before they are joined: not at all (`off`), or all in one call (`brief`). "
        "`auto` is `brief`; but the embedded model, which finds nothing in one call, is not asked where the results "
        "are the answer and plain code finds nothing amiss. "
        "`careful` first asks each subquestion anew, as its thread ends, and then of the other results. A result goes "
        "back if two other answers agree against it, or if another result says otherwise.",
    )
    stop_when: StopWhen = Field(
        "all",
        description="When threads at work are stopped, for questions asked several ways. `all` waits for every thread. "
        "`first_answer` stops the others as soon as one has answered. `agreement` stops them as soon as more than "
        "half of the plan's threads have given the same answer.",
    )
    baseline: bool = Field(
        False,
        description="After the answer, ask the whole question again in one call and report both side by side "
        "(`report.baseline`). Costs that call.",
    )
