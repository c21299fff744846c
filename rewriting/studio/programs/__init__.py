"""What programs use: the endpoints over HTTP, the same as MCP tools."""
