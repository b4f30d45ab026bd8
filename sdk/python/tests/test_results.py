"""What tools return, as MCP results."""

import enum
from dataclasses import dataclass
from typing import Any

import pytest

from mcp_hub_client import audio, image
from mcp_hub_client.results import DEPTH_MAX, FAILURE_LENGTH_MAX, encode, failure, result_of


class Colour(str, enum.Enum):
    RED = "red"


@dataclass
class Found:
    name: str
    colours: tuple[Colour, ...]


def told(text: str, **more: Any) -> Any:
    return {"content": [{"type": "text", "text": text}], **more}


WORDS = {"content": "words"}
FOUND = {"name": "é", "colours": ["red"]}


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, {"content": []}),
        ("text", told("text")),
        ("", told("")),
        (1, told("1")),
        (True, told("true")),
        (["a", None], told('["a", null]')),
        ({1}, told("[1]")),
        (Colour.RED, told('"red"')),
        (
            Found("é", (Colour.RED,)),
            told('{"name": "é", "colours": ["red"]}', structuredContent=FOUND),
        ),
        ({Colour.RED: 1}, told('{"red": 1}', structuredContent={"red": 1})),
        (WORDS, told('{"content": "words"}', structuredContent=WORDS)),
        ({"content": [], "_meta": {}}, {"content": [], "_meta": {}}),
        (
            {"content": [image(b"\x00"), audio(b"\x01")]},
            {
                "content": [
                    {"type": "image", "data": "AA==", "mimeType": "image/png"},
                    {"type": "audio", "data": "AQ==", "mimeType": "audio/wav"},
                ]
            },
        ),
    ],
)
def test_a_value_becomes_a_result(value: Any, result: Any) -> None:
    assert result_of(value, DEPTH_MAX) == result


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"bytes", "bytes has no JSON form"),
        ([object()], "object has no JSON form"),
        ({1: 2}, "the key 1 is not a string"),
        (nested(DEPTH_MAX + 1), "nested deeper"),
    ],
)
def test_what_has_no_json_form_is_refused(value: Any, why: str) -> None:
    with pytest.raises((TypeError, ValueError), match=why):
        result_of(value, DEPTH_MAX)


def test_the_deepest_value_that_is_told() -> None:
    assert result_of(nested(DEPTH_MAX), DEPTH_MAX)["content"]


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_what_cannot_be_written_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        encode({"value": value})


def test_a_failure_can_always_be_told() -> None:
    long = failure("x" * (FAILURE_LENGTH_MAX + 1))
    assert len(long["content"][0]["text"]) == FAILURE_LENGTH_MAX + 1
    assert encode(failure("\ud800")) and failure("x")["isError"] is True
