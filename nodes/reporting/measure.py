"""Taking the measures of a run from the record of its calls."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, Unpack

from nodes.llm.endpoints.usage import Call, Usage, last_end, total_usage
from nodes.planning.branches import Needs, sort_by_needs
from nodes.planning.forecast import Forecast
from nodes.planning.repair import Repair
from nodes.reporting.prices import Cost, add_told_costs
from nodes.reporting.report import Context, Degree, EasyThreads, Estimate, Report, Stage, ToolTotal
from nodes.reporting.spans import peak_overlap, sum_covered
from nodes.reporting.version import VERSION
from nodes.shared.run import Run, now
from nodes.threads.results import Mark, ThreadResult
from nodes.threads.solving import Solving

BROKEN_OFF = frozenset({"cancelled", "timed_out", "deadline", "dropped"})
"""Statuses of requests whose server did not get to say what they used."""


class Told(TypedDict, total=False):
    """What a run tells itself: fields of `Report`, which stand in it as they are."""

    threads_suggested: int
    repairs: list[Repair]
    marks: dict[str, list[Mark]]
    refined: dict[str, list[str]]
    spawned: dict[str, list[str]]
    settings: dict[str, Any]
    forecast: Forecast | None
    solving: dict[str, list[Solving]]
    easy: EasyThreads | None


def make_report(
    calls: Sequence[Call],
    threads: Sequence[ThreadResult],
    *,
    wall_s: float,
    rounds: int,
    planned: int,
    price: Callable[[str, Usage], Cost] | None = None,
    run: Run | None = None,
    **told: Unpack[Told],
) -> Report:
    """Put the report of a run together.

    Args:
        calls: Every request of the run.
        threads: The threads' results.
        wall_s: Seconds since the run started.
        rounds: Extra rounds made.
        planned: Threads of the repaired plan.
        price: Tells what a model's usage cost.
        run: Which run it is, which has its answer now.
        told: What the run tells itself.
    """
    by_model, needs = _tokens_by(calls, lambda call: call.model), {thread.id: thread.needs for thread in threads}
    back = sum(thread.rounds - 1 for thread in threads) + sum(bool(into) for into in told.get("refined", {}).values())
    costs = [add_told_costs(model, calls) or price(model, usage) for model, usage in by_model.items()] if price else []
    return Report(
        **_times(calls, wall_s, needs),
        **_tokens(calls, needs),
        **_context(calls),
        **_requests(calls),
        tools=_tools(calls),
        stages=[_stage(name, calls) for name in dict.fromkeys(call.stage for call in calls)],
        tokens_by_model=by_model,
        costs=costs,
        cost_usd=_sum(costs),
        rounds=rounds,
        retries=sum(call.attempt > 1 for call in calls) + back,
        threads_planned=planned,
        threads_used=sum(thread.status == "answered" for thread in threads),
        cached=sum(thread.cached for thread in threads),
        degrees=degrees_of(calls),
        **told,
        **({"run_id": run.id, "ended_at": round(now(), 3)} if run else {}),
        version=VERSION,
    )


def _requests(calls: Sequence[Call]) -> dict[str, int]:
    return {
        "calls": len(calls),
        "peak_parallel": peak_overlap((call.started_s, call.latency_s) for call in calls if call.stage == "solve"),
        "hedges": len({(call.thread_id, call.round) for call in calls if call.hedge}),
        "fallbacks": sum(call.model != before.model for before, call in _pairs(calls)),
        "uncounted": sum(call.status in BROKEN_OFF for call in calls),
    }


def _tools(calls: Sequence[Call]) -> list[ToolTotal]:
    uses = [use for call in calls for use in call.tools]
    by_name = {name: [use for use in uses if use.name == name] for name in dict.fromkeys(use.name for use in uses)}
    return [
        ToolTotal(
            name=name,
            calls=len(used),
            failed=sum(use.status != "ok" for use in used),
            running_s=round(sum(use.latency_s for use in used), 3),
        )
        for name, used in by_name.items()
    ]


def _sum(costs: Sequence[Cost]) -> float | None:
    """Return the cost of all models; `None` where the price of one is not known."""
    known = [cost.usd for cost in costs if cost.usd is not None]
    return sum(known) if costs and len(known) == len(costs) else None


def _times(calls: Sequence[Call], wall_s: float, needs: Needs) -> dict[str, float]:
    spans = [(call.started_s, call.latency_s) for call in calls]
    running, at_once = sum(call.latency_s for call in calls), peak_overlap(spans)
    speedup = running / wall_s if wall_s > 0 else 0.0
    times = {
        "wall_s": wall_s,
        "queued_s": sum(call.queued_s for call in calls),
        "running_s": running,
        "idle_s": max(0.0, wall_s - sum_covered(spans)),
        "critical_path_s": _longest_chain(calls, needs, lambda call: call.latency_s),
        "speedup": speedup,
        "efficiency": speedup / at_once if at_once else 0.0,
    }
    return {name: round(value, 3) for name, value in times.items()}


def _tokens(calls: Sequence[Call], needs: Needs) -> dict[str, Any]:
    tokens = total_usage(calls)
    of_threads = [call for call in calls if call.thread_id]
    critical = int(_longest_chain(calls, needs, lambda call: call.usage.output))
    share = sum(call.usage.output for call in of_threads) / tokens.output if tokens.output else 0.0
    chain = _count_written(calls)
    return {
        "tokens": tokens,
        "head_starts": sum(call.ahead and call.attempt == 1 for call in calls),
        "wasted": total_usage(call for call in calls if call.wasted),
        "tokens_by_thread": _tokens_by(of_threads, lambda call: str(call.thread_id)),
        "critical_path_tokens": critical,
        "parallel_share": round(share, 3),
        "estimate": Estimate(
            output=chain,
            token_latency=round(chain / critical, 3) if critical else None,
            token_multiplier=round(tokens.output / chain, 3) if chain else None,
        )
        if chain is not None
        else None,
    }


def _count_written(calls: Iterable[Call]) -> int | None:
    """Count what the threads wrote, each in the last of its rounds with a reply; `None` where none replied."""
    rounds: dict[str | None, dict[int, list[Call]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        if call.stage == "solve" and call.status == "ok":
            rounds[call.thread_id][call.round].append(call)
    last = [of[max(of)] for of in rounds.values()]
    return round(sum(_work_path(own, lambda call: call.usage.output) for own in last)) if last else None


def _context(calls: Sequence[Call]) -> dict[str, Any]:
    of_threads = [call for call in calls if call.thread_id]
    latest = {call.model: call for call in calls}
    return {
        "contexts": [
            Context(
                model=model,
                window=call.window,
                source=call.window_source,
                utilisation=_fullest(other for other in calls if other.model == model),
            )
            for model, call in latest.items()
        ],
        "utilisation": {
            str(id): share
            for id in dict.fromkeys(call.thread_id for call in of_threads)
            if (share := _fullest(call for call in of_threads if call.thread_id == id)) is not None
        },
        "join_utilisation": _fullest(call for call in calls if call.role == "review"),
    }


def _fullest(calls: Iterable[Call]) -> float | None:
    """Return the largest share of its window that a request took; `None` where no window is known."""
    shares = [share for call in calls if (share := call.utilisation) is not None]
    return round(max(shares), 3) if shares else None


def _longest_chain(calls: Sequence[Call], needs: Needs, size: Callable[[Call], float]) -> float:
    """Add up what had to wait for each other: stages and rounds in turn, of threads the longest chain of each round.

    Of what began early, only what came before the outline or after it had to be waited for.
    """
    outlines = [call for call in calls if call.stage == "assess" and not call.wasted]
    outline = (min((call.started_s for call in outlines), default=0.0), last_end(outlines))
    rounds: dict[tuple[int, str], dict[str, list[Call]]] = defaultdict(lambda: defaultdict(list))
    for call in calls:
        rounds[call.round, call.stage][call.thread_id or ""].append(call)

    def size_waited_for(call: Call) -> float:
        return (_share_outside(*outline, call) if call.ahead or call.wasted else 1.0) * size(call)

    return sum(
        _longest_path({id: _work_path(own, size_waited_for) for id, own in threads.items()}, needs)
        for threads in rounds.values()
    )


def _work_path(calls: Iterable[Call], size: Callable[[Call], float]) -> float:
    """Add up what had to wait for each other within the work on one question: its steps in turn.

    The two copies of a late thread ran side by side, and so did the samples of a vote or a search, so each is a chain
    of its own; of a step, the longest counts.
    """
    steps: dict[int, dict[tuple[bool, int], float]] = defaultdict(lambda: defaultdict(float))
    for call in calls:
        steps[call.step][call.hedge, call.sample] += size(call)
    return sum(max(side_by_side.values()) for side_by_side in steps.values())


def _share_outside(began: float, ended: float, call: Call) -> float:
    """Return the share of a call that came before or after a span of its run; of what was not needed, before it."""
    before = max(0.0, began - call.started_s)
    after = 0.0 if call.wasted else max(0.0, call.started_s + call.latency_s - ended)
    return min(1.0, (before + after) / call.latency_s) if call.latency_s else 0.0


def _longest_path(sizes: Mapping[str, float], needs: Needs) -> float:
    """Return the length of the longest chain of threads that waited for each other (critical path of the plan)."""
    lengths: dict[str, float] = {}
    in_order, ring = sort_by_needs({id: needs.get(id, ()) for id in sizes})
    for id in [*in_order, *ring]:
        lengths[id] = sizes[id] + max((lengths.get(need, 0.0) for need in needs.get(id, ())), default=0.0)
    return max(lengths.values(), default=0.0)


def _stage(name: str, calls: Sequence[Call]) -> Stage:
    own = [call for call in calls if call.stage == name]
    return Stage(
        stage=name,
        calls=len(own),
        wall_s=round(sum_covered((call.started_s, call.latency_s) for call in own), 3),
        queued_s=round(sum(call.queued_s for call in own), 3),
        running_s=round(sum(call.latency_s for call in own), 3),
        tokens=total_usage(own),
    )


def _tokens_by(calls: Iterable[Call], key: Callable[[Call], str]) -> dict[str, Usage]:
    sums: dict[str, Usage] = {}
    for call in calls:
        sums[key(call)] = sums.get(key(call), Usage()) + call.usage
    return sums


def _pairs(calls: Sequence[Call]) -> Iterable[tuple[Call, Call]]:
    """Pair each request of a task with the next one of the same task."""
    tasks: dict[tuple[Any, ...], Call] = {}
    for call in calls:
        task = (call.role, call.thread_id, call.round, call.hedge, call.step, call.sample)
        if call.attempt > 1 and task in tasks:
            yield tasks[task], call
        tasks[task] = call


def degrees_of(calls: Iterable[Call]) -> list[Degree]:
    """Tell from the requests of a run which degrees of parallelism were in force, and when each began."""
    changes: list[Degree] = []
    latest: dict[str, int | None] = {}
    for call in sorted(calls, key=lambda call: call.started_s):
        if latest.setdefault(call.model, None) != call.degree:
            latest[call.model] = call.degree
            changes.append(
                Degree(at_s=round(call.started_s, 3), model=call.model, degree=call.degree, reason=call.degree_reason)
            )
    return changes
