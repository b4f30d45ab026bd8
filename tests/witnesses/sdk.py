"""Looks at a hub with the Python SDK, in both eras: python sdk.py URL [TOKEN]"""

import asyncio
import json
import sys
from collections.abc import Awaitable

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def session(url: str, token: str | None, mode: str) -> dict:
    headers = {"Authorization": f"Bearer {token}"} if token else None
    changed = asyncio.Event()

    async def hear(message: object) -> None:
        if getattr(message, "method", None) == "notifications/tools/list_changed":
            changed.set()

    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode, message_handler=hear) as client:
            seen = await look(client)
            heard = hear_unasked(client, changed) if mode == "legacy" else listen(client)
            await within(10, heard, "word that the tools have changed")
            return {"version": client.protocol_version, **seen, "listChanged": True}


async def look(client: Client) -> dict:
    tools = [tool.name for tool in (await client.list_tools()).tools]
    check("test_simple_text" in tools, f"no test_simple_text among {tools}")

    simple = await client.call_tool("test_simple_text")
    check(not simple.is_error and simple.content, f"test_simple_text failed: {simple}")

    steps: list[float] = []

    async def progress(step: float, total: float | None, message: str | None) -> None:
        steps.append(step)

    await client.call_tool("test_tool_with_progress", progress_callback=progress)
    check(len(steps) >= 3, f"progress arrived {len(steps)} times instead of 3")
    return {"tools": tools, "text": simple.content[0].text, "progress": steps}


async def hear_unasked(client: Client, changed: asyncio.Event) -> None:
    """Changes the tools; a legacy client is told of it without having asked."""
    await client.call_tool("test_trigger_tool_change")
    await changed.wait()


async def listen(client: Client) -> None:
    """Changes the tools; a modern client opens a stream to be told of it."""
    async with client.listen(tools_list_changed=True) as events:
        await client.call_tool("test_trigger_tool_change")
        async for _ in events:
            return


async def within(seconds: float, awaited: Awaitable[None], what: str) -> None:
    try:
        await asyncio.wait_for(awaited, seconds)
    except TimeoutError:
        raise AssertionError(f"{what} did not come in {seconds} s") from None


def check(holds: object, complaint: str) -> None:
    if not holds:
        raise AssertionError(complaint)


async def main(url: str, token: str | None = None) -> None:
    legacy = await session(url, token, "legacy")
    modern = await session(url, token, "auto")
    check(modern["version"] >= "2026-07-28", f"the probe ended at {modern['version']}")
    print(json.dumps({"legacy": legacy, "modern": modern}))


def reasons(error: BaseException) -> list[str]:
    """What went wrong, taken out of the groups that asyncio wraps it in."""
    if isinstance(error, BaseExceptionGroup):
        return [reason for inner in error.exceptions for reason in reasons(inner)]
    return [f"{type(error).__name__}: {error}"]


try:
    asyncio.run(main(*sys.argv[1:]))
except Exception as error:
    sys.exit("\n".join(reasons(error)))
