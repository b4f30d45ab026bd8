"""Lets tools ask it things with the Python SDK, in both eras: python asked.py URL CALLS"""

import asyncio
import json
import sys

from mcp import Client
from mcp.types import CreateMessageResult, ElicitResult, TextContent


async def fill_in(context: object, params: object) -> ElicitResult:
    content = {"name": "Ada", "username": "ada", "email": "ada@example.com"}
    return ElicitResult(action="accept", content=content)


async def speak(context: object, params: object) -> CreateMessageResult:
    words = TextContent(type="text", text="words of a model")
    return CreateMessageResult(role="assistant", content=words, model="m", stop_reason="endTurn")


async def session(url: str, calls: list, mode: str) -> list[str]:
    async with Client(
        url, mode=mode, elicitation_callback=fill_in, sampling_callback=speak
    ) as client:
        said = []
        for call in calls:
            result = await client.call_tool(call["name"], call.get("arguments", {}))
            said.append(result.content[0].text)
        return said


async def main(url: str, calls: str) -> None:
    seen = {
        era: await session(url, json.loads(calls), mode)
        for era, mode in [("legacy", "legacy"), ("modern", "auto")]
    }
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
