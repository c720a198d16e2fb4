"""A server's own chat template, put around a question once; what is continued after that is plain text."""

from typing import Any

import httpx2

from nodes.llm.endpoints.endpoint import Endpoint
from nodes.llm.limits.time_limit import TimeLimit
from nodes.llm.servers.ask_json import ask_json
from nodes.shared.providers.known import DEFAULT_BASE_URL

TEMPLATE_TIMEOUT_S = 10.0
"""Seconds to find out; a long question takes its time, too."""
MAX_TEMPLATE_BYTES = 50_000_000
"""Bytes of an answer, which holds the question, or a number for each of its tokens."""


async def apply_template(endpoint: Endpoint, http: httpx2.AsyncClient, question: str, *, until: float) -> str:
    """Return the text that a server would continue if it were asked a question in chat; empty where it does not tell.

    llama.cpp has `/apply-template` for this; vLLM has it in two steps, `/tokenize` and `/detokenize`.

    Args:
        endpoint: The server, and the model's name.
        http: The connections.
        question: What is asked, as the one message of a person.
        until: When the run has no more time to find out, in seconds since the epoch.
    """
    if endpoint.base_url in DEFAULT_BASE_URL.values():
        return ""
    try:
        async with TimeLimit(TEMPLATE_TIMEOUT_S, until):
            prompt = await _ask(endpoint, http, [{"role": "user", "content": question}])
    except TimeoutError:
        return ""
    # Templates may trim the question, but none leaves it out.
    return prompt if isinstance(prompt, str) and question.strip() in prompt else ""


async def _ask(endpoint: Endpoint, http: httpx2.AsyncClient, messages: list[dict[str, str]]) -> Any:
    root = endpoint.base_url.removesuffix("/").removesuffix("/v1")

    async def post(path: str, **body: Any) -> dict[str, Any]:
        told = await ask_json(
            endpoint, http, root + path, seconds=TEMPLATE_TIMEOUT_S, most_bytes=MAX_TEMPLATE_BYTES, body=body
        )
        return told if isinstance(told, dict) else {}

    told = await post("/apply-template", messages=messages)
    if "prompt" not in told:
        read = await post("/tokenize", model=endpoint.name, messages=messages, add_generation_prompt=True)
        tokens = read.get("tokens")
        told = await post("/detokenize", model=endpoint.name, tokens=tokens) if isinstance(tokens, list) else {}
    return told.get("prompt")
