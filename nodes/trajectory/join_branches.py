"""Join branches: put the threads of a block into the trajectory, in the order of their outlines, word for word."""

from typing import Any

from langgraph.runtime import Runtime

from nodes.native.grammar import GRAMMARS, write_block
from nodes.native.state import NativeState, branches_of
from nodes.settings import Settings, settings_of


async def join_branches(state: NativeState, runtime: Runtime[Settings]) -> dict[str, Any]:
    """Write the block's threads behind its outlines; one that failed is closed, and marked as unfinished."""
    grammar = GRAMMARS[settings_of(runtime).grammar]
    joined = write_block(grammar, branches_of(state, state.results))
    return {"trajectory": state.trajectory + joined, "opened": []}
