"""What a call is called in traces."""

from langchain_core.runnables import RunnableConfig
from langgraph.constants import TAG_NOSTREAM

from nodes.llm.endpoints.usage import Call


def name_call(call: Call, prompt: str, subquestion: str | None) -> RunnableConfig:
    """Name a call, so that one thread can be filtered out.

    Args:
        call: The call.
        prompt: Name and version of its prompt.
        subquestion: What its thread is asked, if it is for one.
    """
    name = f"{call.stage} {call.thread_id}" if call.thread_id else call.role
    metadata = {
        "apr_role": call.role,
        "apr_thread": call.thread_id,
        "apr_subquestion": subquestion,
        "apr_round": call.round,
        "apr_attempt": call.attempt,
        "apr_hedge": call.hedge or None,
        "apr_step": call.step or None,
        "apr_sample": call.sample or None,
        "apr_prompt": prompt,
        # Begun while the question was assessed: its words are those of the node that takes it over.
        "langgraph_node": ("solve" if call.thread_id else "direct") if call.ahead else None,
    }
    # One of several tries is no answer yet, so LangGraph streams none of them.
    tries = [TAG_NOSTREAM] if call.sample else []
    known = {key: value for key, value in metadata.items() if value is not None}
    return {"run_name": name, "tags": [f"apr:{name}", *tries], "metadata": known}
