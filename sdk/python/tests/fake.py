"""A hub made of a script, for what the real one does not do on demand."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from mcp_hub_client.frames import Limits, RegisterResult

LIMITS: Limits = {"messageBytes": 100_000, "callsInFlight": 2, "tools": 10, "jsonDepth": 128}


class FakeHub:
    """Takes in whatever registers, and leaves the rest to the test."""

    def __init__(self) -> None:
        self.url = ""
        self.limits = LIMITS.copy()
        self.refusals: list[Response] = []
        self.requests: list[Request] = []
        self.registrations: list[Any] = []
        self.sockets: list[ServerConnection] = []
        self.heard: list[Any] = []
        self.takes_in = True

    async def say(self, **frame: Any) -> None:
        await self.sockets[-1].send(json.dumps({"jsonrpc": "2.0", **frame}))

    async def call(self, id: int, name: str, meta: Any = None, **params: Any) -> None:
        meta = {"progressToken": id, **(meta or {})}
        await self.say(id=id, method="tools/call", params={"name": name, "_meta": meta, **params})

    async def cancel(self, id: int) -> None:
        params = {"requestId": id, "reason": "enough"}
        await self.say(method="notifications/cancelled", params=params)

    def answers(self, id: int) -> list[Any]:
        return [frame for frame in self.heard if frame.get("id") == id]

    def refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        return self.refusals.pop(0) if self.refusals else None

    async def serve(self, socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for message in socket:
                await self.hear(socket, json.loads(message))

    async def hear(self, socket: ServerConnection, frame: Any) -> None:
        if frame.get("method") != "providers/register":
            self.heard.append(frame)
        else:
            self.registrations.append(frame["params"])
            self.sockets.append(socket)
            if self.takes_in:
                result: RegisterResult = {
                    "providerId": "prv_1",
                    "user": "public",
                    "hub": {"name": "fake", "version": "1"},
                    "limits": self.limits,
                    "tools": [],
                    "warnings": ["a warning"],
                }
                await self.say(id=frame["id"], result=result)


@asynccontextmanager
async def fake_hub() -> AsyncIterator[FakeHub]:
    hub = FakeHub()
    async with serve(
        hub.serve, "127.0.0.1", 0, process_request=hub.refuse, subprotocols=["mcp-hub.v1"]
    ) as server:
        hub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield hub
