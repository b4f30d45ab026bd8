"""What a tool knows of the call it serves, and how it speaks to the client meanwhile.

Questions are asked by replay: a tool that asks what has no answer yet is ended, the call is
answered with the question, and when the client calls again with the answer the tool runs from its
beginning, each `ask` now returning what was answered. All answers travel with the call. So the
provider remembers nothing, and one that was restarted in between goes on all the same.
"""

import json
import threading
from collections.abc import Callable
from typing import Any, Literal, get_args

from .errors import INVALID_PARAMS, MissingCapability, RpcError
from .frames import CallParams, JsonObject, Level, LogParams, ProgressParams
from .results import to_json

Question = Literal["elicitation/create", "sampling/createMessage", "roots/list"]

META = "io.modelcontextprotocol/"


class Unanswered(BaseException):
    """Unwinds a tool that has asked. Not an `Exception`, so that no tool catches it by mistake."""


class Context:
    """One call, as the tool sees it. All methods may be used from any thread.

    `meta` is the call's `_meta` as it came, and `cancelled` is set once nobody waits for the result
    any more. Asynchronous tools are then cancelled; plain ones should look at `cancelled.is_set()`
    now and then, or wait with `cancelled.wait(seconds)` rather than sleep.
    """

    def __init__(self, params: CallParams, notify: Callable[[str, Any], None]) -> None:
        self.meta: JsonObject = params["_meta"]
        self.cancelled = threading.Event()
        self._notify = notify
        self._lock = threading.Lock()
        self._asked = 0
        self._open: JsonObject = {}
        self._answers = _remembered(params.get("requestState"))
        responses = params.get("inputResponses")
        if isinstance(responses, dict):
            # Whatever else the client sent instead of an answer is asked for again.
            self._answers |= {key: value for key, value in responses.items() if _is_answer(value)}

    @property
    def client_info(self) -> JsonObject:
        """Name and version of the client, as far as it told; else empty."""
        return _object(self.meta.get(f"{META}clientInfo"))

    @property
    def client_capabilities(self) -> JsonObject:
        """What the client can be asked."""
        return _object(self.meta.get(f"{META}clientCapabilities"))

    def progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Tells how far the work is, and the hub that it goes on. `progress` should grow."""
        params: ProgressParams = {
            "progressToken": self.meta["progressToken"],
            "progress": progress,
        }
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        self._notify("notifications/progress", params)

    def log(self, level: Level, data: Any, logger: str | None = None) -> None:
        """Writes to the client's log, if it wants to hear of `level`. `data` is a text, or anything
        with a JSON form; what has none raises `TypeError`."""
        if level not in get_args(Level):
            raise ValueError(f"level must be one of {', '.join(get_args(Level))}, not {level!r}")
        params: LogParams = {
            "level": level,
            "data": to_json(data),
            "_meta": {"progressToken": self.meta["progressToken"]},
        }
        if logger is not None:
            params["logger"] = logger
        self._notify("notifications/message", params)

    def ask(self, method: Question, params: JsonObject | None = None) -> JsonObject:
        """Asks the client and returns its answer as it came.

        It does not wait: until the answer is there it ends the tool, which then **runs again from
        its beginning**. What must happen once belongs after the last question, and the questions
        must come in the same order each time. Nothing is to be awaited, in asynchronous tools
        either.

        Raises `MissingCapability` when this client cannot be asked.
        """
        with self._lock:
            self._asked += 1
            key = str(self._asked)
            if key in self._answers:
                return _object(self._answers[key])
            required = _required(method, params or {})
            if not _has(self.client_capabilities, required):
                raise MissingCapability(required)
            self._open[key] = {"method": method, "params": params or {}}
        raise Unanswered

    def elicit(self, message: str, schema: JsonObject) -> JsonObject | None:
        """Asks the user to fill in a form, an object schema with properties of simple types.

        Returns what was filled in, or `None` when the user declined. Like `ask`, this runs the tool
        again.
        """
        params = {"mode": "form", "message": message, "requestedSchema": schema}
        answer = self.ask("elicitation/create", params)
        return _object(answer.get("content")) if answer.get("action") == "accept" else None

    def pending(self) -> JsonObject | None:
        """The result that asks what the tool has asked, if it has."""
        with self._lock:
            if not self._open:
                return None
            state = json.dumps(self._answers, ensure_ascii=False, separators=(",", ":"))
            return {
                "resultType": "input_required",
                "inputRequests": dict(self._open),
                "requestState": state,
            }


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _is_answer(value: Any) -> bool:
    return isinstance(value, dict)


def _remembered(state: Any) -> JsonObject:
    """The answers that `requestState` holds. It comes from outside, sealed by the hub or not."""
    if state is None:
        return {}
    try:
        answers = json.loads(state)
    except (TypeError, ValueError, RecursionError):
        answers = None
    if not isinstance(answers, dict) or not all(map(_is_answer, answers.values())):
        raise RpcError(INVALID_PARAMS, "`requestState` is not one that this provider gave out")
    return answers


def _required(method: str, params: JsonObject) -> JsonObject:
    """The capabilities a client must have declared to be asked this."""
    if method == "elicitation/create":
        return {"elicitation": {"url" if params.get("mode") == "url" else "form": {}}}
    if method == "sampling/createMessage":
        return {"sampling": {"tools": {}} if "tools" in params else {}}
    return {"roots": {}}


def _has(capabilities: JsonObject, required: JsonObject) -> bool:
    for name, parts in required.items():
        declared = capabilities.get(name)
        if not isinstance(declared, dict):
            return False
        if name == "elicitation" and not declared:
            # So said clients before there was any other kind.
            declared = {"form": {}}
        if not parts.keys() <= declared.keys():
            return False
    return True
