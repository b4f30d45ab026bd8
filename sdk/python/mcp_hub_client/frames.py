"""What hub and provider say to each other: the wire contract `mcp-hub.v1`, JSON-RPC 2.0 with one
message per WebSocket text frame.

A member that may be missing stands in a class of its own with `total=False`: Python 3.10 has no
other way to say it without a further dependency. A test compares all of this to the hub's own.
"""

from typing import Any, Literal, TypedDict

JsonObject = dict[str, Any]

RpcId = int | str

Level = Literal[
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"
]

SUBPROTOCOL = "mcp-hub.v1"
"""The WebSocket subprotocol both sides name."""


class _About(TypedDict):
    name: str


class About(_About, total=False):
    """Who offers the tools. By `instanceId` the hub knows one that connects again."""

    version: str
    instanceId: str


class RegisterParams(TypedDict):
    """The parameters of `providers/register`; `tools` are MCP tool objects."""

    provider: About
    tools: list[JsonObject]


class Software(TypedDict):
    name: str
    version: str


class Limits(TypedDict):
    """What the hub takes from one provider."""

    messageBytes: int
    callsInFlight: int
    tools: int
    jsonDepth: int


class Place(TypedDict):
    """Where a tool stands among the `of` offers of its name; 1 is tried first."""

    name: str
    position: int
    of: int


class _RegisterResult(TypedDict):
    providerId: str
    user: str
    hub: Software
    limits: Limits
    tools: list[Place]


class RegisterResult(_RegisterResult, total=False):
    """The answer to `providers/register`."""

    warnings: list[str]


class RefusedTool(TypedDict):
    """Why the tool at `index` is refused; `name` is `None` when none could be read."""

    index: int
    name: str | None
    reason: str


class RefusedTools(TypedDict):
    """The `data` of the error that refuses a set of tools."""

    tools: list[RefusedTool]


class _CallParams(TypedDict):
    name: str
    _meta: JsonObject


class CallParams(_CallParams, total=False):
    """The parameters of `tools/call`. The last two are there when a call that was answered with
    questions comes again."""

    arguments: JsonObject
    inputResponses: JsonObject
    requestState: str


class CancelledParams(TypedDict):
    """The parameters of `notifications/cancelled`."""

    requestId: int
    reason: str


class _ProgressParams(TypedDict):
    progressToken: int
    progress: float


class ProgressParams(_ProgressParams, total=False):
    """The parameters of `notifications/progress`."""

    total: float
    message: str


class _LogParams(TypedDict):
    level: Level
    data: Any
    _meta: JsonObject


class LogParams(_LogParams, total=False):
    """The parameters of `notifications/message`."""

    logger: str
