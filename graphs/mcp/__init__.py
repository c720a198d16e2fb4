"""The workflow as tools of an MCP server (Model Context Protocol), for editors, assistants and other agents."""
