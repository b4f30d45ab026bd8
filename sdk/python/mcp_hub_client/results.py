"""What a tool returns, told as an MCP result."""

import base64
import dataclasses
import enum
import json
from collections.abc import Mapping
from typing import Any

from .frames import JsonObject, Limits

DEPTH_MAX = 400
"""Levels of nesting in what a tool returns, where the hub permits more: Python has a bound as well."""

DEPTH_USUAL = 100
"""The same where the hub's bound is not known; by default it is 128."""

DEPTH_AROUND = 4
"""Levels that are taken up by what is around what a tool returns, or logs."""

FAILURE_LENGTH_MAX = 10_000
"""Characters a client is told of what went wrong."""


def depth_of(limits: Limits) -> int:
    """Levels of nesting that what a tool returns may have. The hub closes the connection on a
    message with more than `jsonDepth`, and other calls would be lost with it."""
    return min(limits["jsonDepth"] - DEPTH_AROUND, DEPTH_MAX)


def to_json(value: Any, depth_max: int = DEPTH_USUAL, depth: int = 0) -> Any:
    """`value` in the plain types that `json` writes: dataclasses and mappings become objects,
    lists, tuples and sets arrays, members of an `Enum` their values.

    Raises `TypeError` for anything else, and `ValueError` for what has more than `depth_max` levels
    of nesting.
    """
    if isinstance(value, enum.Enum):
        return to_json(value.value, depth_max, depth)
    if value is None or isinstance(value, (str, int, float)):
        return value
    if depth == depth_max:
        raise ValueError(f"it is nested deeper than {depth_max} levels (limits.jsonDepth)")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_json(getattr(value, field.name), depth_max, depth + 1) for field in fields}
    if isinstance(value, Mapping):
        return {_key(key): to_json(part, depth_max, depth + 1) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(part, depth_max, depth + 1) for part in value]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if not isinstance(key, str):
        # Python would write 1 and "1" as the same key, and of two the hub accepts neither.
        raise TypeError(f"the key {key!r} is not a string")
    return key


def encode(frame: Mapping[str, Any]) -> bytes:
    """A frame as it is sent. Raises `ValueError` for what JSON or UTF-8 cannot express."""
    text = json.dumps(frame, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode()


def result_of(value: Any, depth_max: int) -> JsonObject:
    """The MCP result that tells what a tool returned. Raises as `to_json` does."""
    if value is None:
        return {"content": []}
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        return _text(value)
    told = to_json(value, depth_max)
    if not isinstance(told, dict):
        return _text(json.dumps(told, ensure_ascii=False))
    if isinstance(told.get("content"), list):
        return told
    return {**_text(json.dumps(told, ensure_ascii=False)), "structuredContent": told}


def failure(message: str) -> JsonObject:
    """The result that says that the tool failed, in words for the model that called it."""
    if len(message) > FAILURE_LENGTH_MAX:
        message = f"{message[:FAILURE_LENGTH_MAX]}…"
    # A message may hold what UTF-8 cannot express, such as half of a file name.
    return {**_text(message.encode(errors="replace").decode()), "isError": True}


def image(data: bytes, mime_type: str = "image/png") -> JsonObject:
    """An image, to be returned in `{"content": [image(data), …]}`."""
    return _binary("image", data, mime_type)


def audio(data: bytes, mime_type: str = "audio/wav") -> JsonObject:
    """A sound, to be returned in `{"content": [audio(data), …]}`."""
    return _binary("audio", data, mime_type)


def _text(text: str) -> JsonObject:
    return {"content": [{"type": "text", "text": text}]}


def _binary(kind: str, data: bytes, mime_type: str) -> JsonObject:
    return {"type": kind, "data": base64.b64encode(data).decode(), "mimeType": mime_type}
