"""Call the tool of mcp_endpoint.py: ``python mcp_caller.py URL ARGUMENTS``. Prints the progress and the result.

A process of its own: the client leaves generators to the garbage collector, which our tests do not let pass.
"""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client


async def call(url: str, arguments: dict[str, object]) -> dict[str, object]:
    told: list[tuple[float, float | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with streamable_http_client(url) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        result = await session.call_tool("count", arguments, progress_callback=note)
    return {
        "tools": [tool.name for tool in tools.tools],
        "progress": told,
        "result": [getattr(content, "text", None) for content in result.content],
        "failed": result.is_error,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(call(sys.argv[1], json.loads(sys.argv[2])))))
