"""Type hints as schemas, and what they make of arguments."""

import enum
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Dict, List, Literal, NewType, Optional, Tuple, TypedDict, Union

import pytest

from mcp_hub_client import Context, Tool, UnsupportedHint
from mcp_hub_client.schema import Mismatch, shape_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@dataclass
class Point:
    x: int
    y: Annotated[int, "Upwards"] = 0
    tags: list[str] = field(default_factory=list)
    length: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("x is negative")


@dataclass
class Line:
    start: Point
    end: Optional[Point] = None


class _Named(TypedDict):
    name: str


class Person(_Named, total=False):
    age: int


@dataclass
class Tree:
    children: "list[Tree]"


class Stamp:
    pass


@dataclass
class Letter:
    stamp: Stamp


class Odd(enum.Enum):
    STAMP = Stamp()


UserId = NewType("UserId", str)

POINT = {
    "type": "object",
    "properties": {
        "x": {"type": "integer"},
        "y": {"type": "integer", "description": "Upwards", "default": 0},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["x"],
    "additionalProperties": False,
}

STRING, INTEGER, NULL = {"type": "string"}, {"type": "integer"}, {"type": "null"}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, STRING),
        (int, INTEGER),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (type(None), NULL),
        (Any, {}),
        (object, {}),
        (UserId, STRING),
        (list, {"type": "array", "items": {}}),
        (list[int], {"type": "array", "items": INTEGER}),
        (List[int], {"type": "array", "items": INTEGER}),
        (Sequence[str], {"type": "array", "items": STRING}),
        (tuple, {"type": "array", "items": {}}),
        (tuple[int, ...], {"type": "array", "items": INTEGER}),
        (
            Tuple[int, str],
            {"type": "array", "prefixItems": [INTEGER, STRING], "minItems": 2, "maxItems": 2},
        ),
        (dict, {"type": "object", "additionalProperties": {}}),
        (Dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (Mapping[str, int], {"type": "object", "additionalProperties": INTEGER}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1, None], {"enum": ["a", 1, None]}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (Size, {"enum": [1, 2]}),
        (Optional[str], {"anyOf": [STRING, NULL]}),
        (Union[int, str], {"anyOf": [INTEGER, STRING]}),
        (int | None, {"anyOf": [INTEGER, NULL]}),
        (Annotated[str, "Who", 5], {"type": "string", "description": "Who"}),
        (Annotated[str, 5], STRING),
        (Point, POINT),
        (
            Person,
            {
                "type": "object",
                "properties": {"name": STRING, "age": INTEGER},
                "required": ["name"],
                "additionalProperties": False,
            },
        ),
    ],
)
def test_a_hint_becomes_a_schema(hint: Any, schema: Any) -> None:
    assert shape_of(hint, "here").schema == schema


@pytest.mark.parametrize(
    ("hint", "sent", "meant"),
    [
        (int, 1.0, 1),
        (float, 1, 1.0),
        (Any, [1], [1]),
        (list[Point], [{"x": 1}], [Point(1)]),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (dict[str, Point], {"a": {"x": 1, "y": 2}}, {"a": Point(1, 2)}),
        (Literal["a", 1, True], True, True),
        (Colour, "red", Colour.RED),
        (Size, 2, Size.LARGE),
        (Union[int, str], "a", "a"),
        (Optional[Point], None, None),
        (Line, {"start": {"x": 1}, "end": {"x": 2}}, Line(Point(1), Point(2))),
        (Person, {"name": "Ada"}, {"name": "Ada"}),
    ],
)
def test_a_value_becomes_what_the_hint_says(hint: Any, sent: Any, meant: Any) -> None:
    converted = shape_of(hint, "here").convert(sent, "")
    assert converted == meant and type(converted) is type(meant)


@pytest.mark.parametrize(
    ("hint", "sent", "faults"),
    [
        (str, 1, ["p must be a string, not 1"]),
        (int, True, ["p must be a whole number, not true"]),
        (int, 1.5, ["p must be a whole number, not 1.5"]),
        (int, float("inf"), ["p must be a whole number, not Infinity"]),
        (float, "1", ['p must be a number, not "1"']),
        (bool, 0, ["p must be true or false, not 0"]),
        (list[int], {}, ["p must be an array, not {}"]),
        (list[int], [1, "a"], ['p[1] must be a whole number, not "a"']),
        (tuple[int, str], [1], ["p must be an array of 2, not [1]"]),
        (tuple[int, str], [1, 2], ["p[1] must be a string, not 2"]),
        (dict[str, int], [], ["p must be an object, not []"]),
        (dict[str, int], {"a": "b"}, ['p.a must be a whole number, not "b"']),
        (Literal[1, "a"], True, ['p must be one of [1, "a"], not true']),
        (Colour, "green", ['p must be one of ["red", "blue"], not "green"']),
        (Union[int, str], None, ["p must be a whole number or a string, not null"]),
        (Optional[Line], {"start": {"x": "a"}}, ['p.start.x must be a whole number, not "a"']),
        (Optional[Line], 1, ["p must be an object or null, not 1"]),
        (Point, {"x": -1}, ["p: x is negative"]),
        (Point, [], ["p must be an object, not []"]),
        (Person, {"nam": 1}, ["p.name is missing", "p.nam is not known; there are: name, age"]),
        (str, ["a" * 100], [f'p must be a string, not ["{"a" * 58}…']),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(hint: Any, sent: Any, faults: Any) -> None:
    with pytest.raises(Mismatch) as refused:
        shape_of(hint, "here").convert(sent, "p")
    assert refused.value.faults == faults


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (bytes, "has no JSON Schema"),
        (complex, "has no JSON Schema"),
        (set[int], "has no JSON Schema"),
        (typing.TypeVar("T"), "has no JSON Schema"),
        (dict[int, str], "are not strings"),
        (Tree, "Tree contains itself"),
        (Letter, "`stamp` of Letter in here"),
        (Odd, "Stamp has no JSON form"),
        (list[bytes], "has no JSON Schema"),
    ],
)
def test_an_unsupported_hint_says_so_and_names_the_way_out(hint: Any, why: str) -> None:
    with pytest.raises(UnsupportedHint, match="input_schema=") as refused:
        shape_of(hint, "here")
    assert why in str(refused.value) and "here" in str(refused.value)


@pytest.mark.skipif(not hasattr(typing, "NotRequired"), reason="Python 3.11 brought it")
def test_single_keys_of_a_typed_dict_may_be_left_out() -> None:
    marked: Any = TypedDict(
        "marked", {"a": typing.NotRequired[Annotated[int, "A"]], "b": typing.Required[str]}
    )
    schema = shape_of(marked, "here").schema
    assert schema["required"] == ["b"]
    assert schema["properties"]["a"] == {"type": "integer", "description": "A"}


@pytest.mark.skipif(not hasattr(typing, "TypeAliasType"), reason="Python 3.12 brought it")
def test_an_alias_is_what_it_stands_for() -> None:
    names: dict[str, Any] = {}
    exec("type Ids = list[int]\ntype Json = dict[str, Json]", names)
    assert shape_of(names["Ids"], "here").schema == {"type": "array", "items": INTEGER}
    with pytest.raises(UnsupportedHint, match="Json contains itself"):
        shape_of(names["Json"], "here")


def test_a_function_becomes_a_definition() -> None:
    def paint(
        what: Annotated[str, "The thing"],
        colour: Colour = Colour.RED,
        *,
        context: Optional[Context] = None,
        stamp: Any = Stamp(),
    ) -> None:
        """Paints.

        Slowly.
        """

    tool = Tool(paint, title="Paint", annotations={"readOnlyHint": False}, output_schema={})
    assert tool.definition == {
        "name": "paint",
        "title": "Paint",
        "description": "Paints.\n\nSlowly.",
        "annotations": {"readOnlyHint": False},
        "outputSchema": {},
        "inputSchema": {
            "type": "object",
            "properties": {
                "what": {"type": "string", "description": "The thing"},
                "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "stamp": {},
            },
            "required": ["what"],
            "additionalProperties": False,
        },
    }


def test_a_method_is_a_tool_without_self() -> None:
    class Counter:
        def count(self, by: int) -> int:
            return by

    assert list(Tool(Counter().count).definition["inputSchema"]["properties"]) == ["by"]


def test_parameters_without_a_name_or_a_hint_are_refused() -> None:
    def many(*names: str) -> None: ...

    def unhinted(name) -> None: ...

    def unknown(name: "Nowhere") -> None: ...

    with pytest.raises(UnsupportedHint, match="parameter `names` of many"):
        Tool(many)
    with pytest.raises(UnsupportedHint, match="parameter `name` of unhinted"):
        Tool(unhinted)
    with pytest.raises(UnsupportedHint, match="Nowhere"):
        Tool(unknown)


def test_with_a_schema_of_its_own_a_tool_takes_one_dict() -> None:
    def takes_two(a: Any, b: Any) -> None: ...

    with pytest.raises(TypeError, match="one dict"):
        Tool(takes_two, input_schema={"type": "object"})
