"""An MCP server of two tools, for threads: `python towers.py`. One of them never answers."""

import asyncio

from mcp.server.mcpserver import MCPServer

server = MCPServer("towers")


def look_up(name: str) -> str:
    """Look up how many metres tall a tower is."""
    return {"the Ash Tower": "120 m", "the Birch Tower": "96 m"}[name]


async def wait() -> str:
    """Wait for ever."""
    await asyncio.Event().wait()
    return ""


for tool in (look_up, wait):
    server.add_tool(tool)

if __name__ == "__main__":
    server.run()
