"""One connection to the hub, from its registration to its end, and the calls that come over it."""

import asyncio
import contextlib
import json
import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any, cast

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .context import Context
from .errors import (
    BUSY,
    CAPABILITY_MISSING,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MissingCapability,
    RpcError,
    ToolsRefused,
)
from .frames import (
    SUBPROTOCOL,
    About,
    CallParams,
    JsonObject,
    Limits,
    RegisterParams,
    RegisterResult,
    RpcId,
)
from .results import depth_of, encode, failure, result_of
from .schema import Mismatch
from .tool import Tool

REGISTRATION_TIME_MAX = 30.0
"""Seconds the hub has to answer a registration."""

NOTICE_BYTES_MAX = 1024 * 1024
"""Bytes of progress and log messages that wait to be sent; what does not fit is dropped."""

INTEGER_DIGITS_MAX = 4000
"""Longer whole numbers are read as floats: Python refuses to read them exactly."""

log = logging.getLogger("mcp_hub_client")


class ConnectionLost(Exception):
    """The connection ended before the hub answered."""


class Session:
    """Owns a socket: nobody else reads from it or writes to it."""

    def __init__(
        self, socket: ClientConnection, threads: Executor, tasks: set[asyncio.Task[None]]
    ) -> None:
        self.threads = threads
        # Not known before the hub has answered a registration.
        self.limits: Limits = {
            "messageBytes": 0,
            "callsInFlight": 0,
            "tools": 0,
            "jsonDepth": 0,
        }
        self._socket = socket
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._is_over = False
        self._tools: dict[str, Tool] = {}
        self._calls: dict[RpcId, Call] = {}
        self._registrations: dict[RpcId, _Registration] = {}
        self._last_id = 0
        # What waits to be sent. Answers need no bound of their own: there are as many as calls.
        self._outbox: deque[_Outgoing] = deque()
        self._filled = asyncio.Event()
        self._notices = threading.Lock()
        self._notice_bytes = 0

    async def serve(self) -> None:
        """Takes calls until the connection ends; then nobody waits for any of them."""
        writing = asyncio.create_task(self._write())
        try:
            async for message in self._socket:
                self._heard(json.loads(message, parse_int=_whole))
        except ConnectionClosed:
            pass
        except (ValueError, LookupError, TypeError):
            # Left alone like one that is gone: after a restart it may be another.
            log.exception("the hub does not keep to %s", SUBPROTOCOL)
        finally:
            self._is_over = True
            writing.cancel()
            for call in list(self._calls.values()):
                call.abandon()
            for registration in self._registrations.values():
                registration.settle(ConnectionLost("the connection broke"))

    async def register(self, about: About, tools: Sequence[Tool]) -> RegisterResult:
        """Puts `tools` in the place of all that is on offer.

        Raises `ToolsRefused`, and then nothing has changed, or `ConnectionLost`.
        """
        if self._is_over:
            raise ConnectionLost("the connection broke")
        self._last_id += 1
        params: RegisterParams = {
            "provider": about,
            "tools": [tool.definition for tool in tools],
        }
        request = {"id": self._last_id, "method": "providers/register", "params": params}
        frame = encode({"jsonrpc": "2.0", **request})
        bytes_max = self.limits["messageBytes"]
        if bytes_max and len(frame) > bytes_max:
            why = f"the tools have {len(frame)} bytes, the hub takes {bytes_max}"
            raise ToolsRefused(f"{why} (limits.messageBytes)", [])
        self._send(frame)
        registration = self._registrations[self._last_id] = _Registration(tools)
        try:
            return await asyncio.wait_for(registration.answer, REGISTRATION_TIME_MAX)
        except asyncio.TimeoutError:
            await self._socket.close()
            raise ConnectionLost("the hub does not answer the registration") from None

    def forget(self, call: "Call") -> bool:
        """Whether `call` was still waited for; from now on it is not."""
        return self._calls.pop(call.id, None) is not None

    def finish(self, call: "Call", frame: bytes) -> None:
        """Answers a call, unless nobody waits for the answer any more."""
        if self.forget(call):
            self._send(frame)

    def notice(self, call: "Call", frame: bytes) -> None:
        """Sends progress or a log message, from any thread; drops it when the hub reads slowly."""
        with self._notices:
            if self._notice_bytes + len(frame) > NOTICE_BYTES_MAX:
                log.debug("a notice of %s bytes is dropped", len(frame))
                return
            self._notice_bytes += len(frame)
        if threading.get_ident() == self._thread:
            self._send_notice(call, frame)
        else:
            # The loop may have been closed while a thread worked on.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._send_notice, call, frame)

    def _send_notice(self, call: "Call", frame: bytes) -> None:
        if call.id in self._calls and len(frame) <= self.limits["messageBytes"]:
            self._send(frame, is_notice=True)
        else:
            self._notice_is_gone(frame)

    def _notice_is_gone(self, frame: bytes) -> None:
        with self._notices:
            self._notice_bytes -= len(frame)

    def _send(self, frame: bytes, is_notice: bool = False) -> None:
        self._outbox.append((frame, is_notice))
        self._filled.set()

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while await self._filled.wait():
                self._filled.clear()
                while self._outbox:
                    frame, is_notice = self._outbox.popleft()
                    await self._socket.send(frame, text=True)
                    if is_notice:
                        self._notice_is_gone(frame)

    def _heard(self, frame: Any) -> None:
        match frame:
            case {"method": "tools/call", "id": id, "params": params}:
                self._begin(id, params)
            case {"method": "notifications/cancelled", "params": {"requestId": id}}:
                if call := self._calls.get(id):
                    call.abandon()
            case {"method": "ping", "id": id}:
                self._send(encode({"jsonrpc": "2.0", "id": id, "result": {}}))
            case {"method": method, "id": id}:
                error = RpcError(METHOD_NOT_FOUND, f"there is no method {method!r} here")
                self._send(encode(_error(id, error)))
            case {"id": id} if registration := self._registrations.pop(id, None):
                self._registered(registration, frame)
            case _:
                log.debug("a message of the hub was not understood")

    def _begin(self, id: RpcId, params: CallParams) -> None:
        try:
            tool = self._tools.get(params["name"])
            if tool is None:
                raise RpcError(METHOD_NOT_FOUND, f"there is no tool {params['name']!r} here")
            if len(self._calls) >= self.limits["callsInFlight"]:
                raise RpcError(BUSY, "more calls are in flight than limits.callsInFlight permits")
            call = Call(self, id, tool, params)
        except RpcError as error:
            self._send(encode(_error(id, error)))
            return
        self._calls[id] = call
        call.task = asyncio.create_task(call.run())
        self._tasks.add(call.task)
        call.task.add_done_callback(self._tasks.discard)

    def _registered(self, registration: "_Registration", frame: JsonObject) -> None:
        # The tools change here and now: the next message may be a call of a new one.
        if "result" in frame:
            result = cast(RegisterResult, frame["result"])
            self.limits = result["limits"]
            self._tools = {tool.name: tool for tool in registration.tools}
            registration.settle(result)
        else:
            error = frame["error"]
            data = error.get("data") or {}
            registration.settle(ToolsRefused(error["message"], data.get("tools", [])))


class Call:
    """One call of a tool, run by a task of its own."""

    task: "asyncio.Task[None]"

    def __init__(self, session: Session, id: RpcId, tool: Tool, params: CallParams) -> None:
        self.id = id
        self._session = session
        self._tool = tool
        self._sent = params.get("arguments", {})
        self._context = Context(params, self._notify)

    def abandon(self) -> None:
        """Nobody waits any more: nothing of it is sent from now on."""
        self._session.forget(self)
        self._context.cancelled.set()
        self.task.cancel()

    async def run(self) -> None:
        """Works, and answers."""
        try:
            answer = {"jsonrpc": "2.0", "id": self.id, "result": await self._result()}
        except RpcError as error:
            answer = _error(self.id, error)
        self._session.finish(self, self._bounded(answer))

    async def _result(self) -> JsonObject:
        """What the tool returned, its question, or how it failed. Raises `RpcError`."""
        context, tool = self._context, self._tool
        try:
            arguments = tool.arguments(self._sent)
            value = await tool.run(arguments, context, self._session.threads)
            # Even when a tool lets nothing unwind it, its question is what comes first.
            return context.pending() or self._told(value)
        except Mismatch as mismatch:
            return failure(str(mismatch))
        except MissingCapability as missing:
            data = {"requiredCapabilities": missing.required}
            raise RpcError(CAPABILITY_MISSING, str(missing), data) from missing
        except (RpcError, KeyboardInterrupt):
            raise
        except BaseException as error:
            # `Unanswered` may come wrapped in the group of a task group.
            if context.cancelled.is_set():
                raise
            return context.pending() or self._failed(error)

    def _failed(self, error: BaseException) -> JsonObject:
        log.error("the tool %s failed", self._tool.name, exc_info=error)
        return failure(str(error) or type(error).__name__)

    def _told(self, value: Any) -> JsonObject:
        try:
            return result_of(value, depth_of(self._session.limits))
        except (TypeError, ValueError) as error:
            return self._unsendable(error)

    def _bounded(self, answer: JsonObject) -> bytes:
        """The answer in bytes, or in its place one that says why it cannot be sent."""
        bytes_max = self._session.limits["messageBytes"]
        try:
            frame = encode(answer)
            if len(frame) <= bytes_max:
                return frame
            why = f"it has {len(frame)} bytes, the hub takes {bytes_max} (limits.messageBytes)"
            result = self._unsendable(why)
        except (TypeError, ValueError) as error:
            result = self._unsendable(error)
        return encode({"jsonrpc": "2.0", "id": self.id, "result": result})

    def _unsendable(self, why: object) -> JsonObject:
        log.error("the result of the tool %s cannot be sent: %s", self._tool.name, why)
        return failure(f"{self._tool.name} returned what cannot be sent: {why}")

    def _notify(self, method: str, params: Any) -> None:
        frame = encode({"jsonrpc": "2.0", "method": method, "params": params})
        if not self._context.cancelled.is_set():
            self._session.notice(self, frame)


class _Registration:
    """A tool set on its way to the hub."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = tools
        self.answer: asyncio.Future[RegisterResult] = asyncio.get_running_loop().create_future()

    def settle(self, outcome: RegisterResult | Exception) -> None:
        # Whoever waited may have given up.
        if self.answer.done():
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


_Outgoing = tuple[bytes, bool]


def _error(id: RpcId, error: RpcError) -> JsonObject:
    told: JsonObject = {"code": error.code, "message": str(error)}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": id, "error": told}


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= INTEGER_DIGITS_MAX else float(digits)
