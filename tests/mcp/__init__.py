"""The workflow as tools of an MCP server."""
