"""What can go wrong, as types."""

from typing import Any

from .frames import JsonObject, RefusedTool
from .results import to_json

METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
CAPABILITY_MISSING = -32021
BUSY = -32000


class HubError(Exception):
    """The connection to the hub has ended for good, or could not begin."""


class HandshakeRefused(HubError):
    """The hub answered the connection with an HTTP error that trying again does not mend.

    `status` is 401 for a token that is missing, wrong or expired, and 403 for one that does not
    permit to provide tools, or for a host the hub does not answer to.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the hub refused the connection with HTTP {status}: {reason}")
        self.status = status


class ToolsRefused(HubError):
    """The hub took in none of the tools; `tools` says which are faulty, and why."""

    def __init__(self, message: str, tools: list[RefusedTool]) -> None:
        reasons = [f"\n  {tool['index']} ({tool['name']}): {tool['reason']}" for tool in tools]
        super().__init__(message + "".join(reasons))
        self.tools = tools


class Superseded(HubError):
    """Another connection with the same instance id has taken the place of this one."""


class RpcError(Exception):
    """Answers a call with a JSON-RPC error instead of a result.

    Raise it in a tool that cannot do its work now but that another provider may: the hub then
    tries the next one. With code -32602 (the arguments are wrong) it does not. `data` is anything with a
    JSON form; what has none raises `TypeError`.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = to_json(data)


class MissingCapability(Exception):
    """The calling client cannot be asked this: it has not declared the capabilities `required`.

    A tool may catch it and go on without an answer; if it does not, the client is told.
    """

    def __init__(self, required: JsonObject) -> None:
        super().__init__(f"the client lacks a capability that this needs: {', '.join(required)}")
        self.required = required
