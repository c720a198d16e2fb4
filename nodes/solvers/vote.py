"""A vote: several samples of the same question side by side, and the result that most of them come to.

Sampling, and the majority over final results: X. Wang et al., ICLR 2023. Who agrees with whom, and when no more samples
are needed: `nodes.threads.ballot`. The paper's vote is over answers of a fixed form, so each sample ends with a bare
result; one that ends without is asked for it. Samples differ because they are sampled: see the setting `samples`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from langchain_core.messages import BaseMessage

from nodes.asking.outcome import read_outcome
from nodes.asking.thread import VOTE, ask_result, messages
from nodes.llm.replies.errors import ModelError
from nodes.llm.replies.reply import Reply
from nodes.llm.replies.text import marked_result, short_result
from nodes.shared.cleaning import one_line
from nodes.solvers.work import Work
from nodes.threads.ballot import count_votes, is_certain
from nodes.threads.solving import MAX_SHOWN_CHARACTERS, Solving, Votes


async def vote(work: Work) -> Reply:
    """Ask several times, until it is certain what most say; a sample that fails has no vote.

    Returns:
        The first of the samples that came to the winning result.

    Raises:
        ModelError: No sample has a whole reply; it says why the first of them has none.
    """
    asked = messages(work.task, work.settings, VOTE)
    numbers = range(1, work.settings.samples + 1)
    samples = {number: asyncio.create_task(_sample(work, number, asked)) for number in numbers}
    came: dict[int, Reply | ModelError] = {}
    try:
        while len(came) < len(samples) and not is_certain(_answers(came), len(samples) - len(came)):
            waiting = [task for number, task in samples.items() if number not in came]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            came = {number: task.result() for number, task in samples.items() if task.done()}
    finally:
        for task in samples.values():
            task.cancel()
        await asyncio.gather(*samples.values(), return_exceptions=True)
        work.charge_cancelled()
        work.solving = _tell(came, len(samples))
    votes = count_votes(_answers(came))
    if votes:
        winner = came[next(iter(votes.values()))[0]]
        assert isinstance(winner, Reply)
        return winner
    first = came[min(came)]
    if isinstance(first, ModelError):
        raise first
    return first


async def _sample(work: Work, number: int, asked: Sequence[BaseMessage]) -> Reply | ModelError:
    """Return a whole reply with its result, if there is one; a result that cannot be had is no loss of the reply."""
    try:
        reply = await work.caller(VOTE, sample=number, varied=True).text(asked)
    except ModelError as error:
        return error
    if reply.shortfall or marked_result(reply.text):
        return reply
    try:
        bare = await work.caller(VOTE, sample=number).text(ask_result(asked, reply.text))
    except ModelError:
        return reply
    return reply if bare.shortfall else reply._replace(text=f"{reply.text}\n\nResult: {short_result(bare.text)}")


def _answers(came: Mapping[int, Reply | ModelError]) -> dict[int, str]:
    """Return the results of the samples that have a whole reply."""
    return {
        number: short_result(outcome.text)
        for number, outcome in came.items()
        if isinstance(outcome, Reply) and not read_outcome(outcome)[1]
    }


def _tell(came: Mapping[int, Reply | ModelError], asked: int) -> Solving:
    answers = _answers(came)
    votes = [
        Votes(answer=one_line(answers[numbers[0]], MAX_SHOWN_CHARACTERS), count=len(numbers))
        for numbers in count_votes(answers).values()
    ]
    failed = len(came) - len(answers)
    return Solving(solver="vote", votes=votes, asked=asked, failed=failed, cancelled=asked - len(came))
