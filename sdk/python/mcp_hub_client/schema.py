"""Type hints, told to clients as JSON Schema and enforced on what they send."""

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin

from .frames import JsonObject
from .results import to_json

FAULTS_MAX = 10
"""Of so many faults in its arguments a client is told at once."""

TOLD_LENGTH_MAX = 60
"""So many characters of a wrong value are repeated to whoever sent it."""


class UnsupportedHint(TypeError):
    """A type hint that cannot be told as JSON Schema."""

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}. Use another type, or pass input_schema= to the tool")


class Mismatch(Exception):
    """A value that is not as its schema demands. `path` is where; several faults have none."""

    def __init__(self, path: str | None, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.path = path
        self.faults = faults


Convert = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Shape:
    """What one hint asks for. `name` finishes the sentence "it must be …"; `convert` takes a JSON
    value and its path and gives what the hint says, or raises `Mismatch`."""

    name: str
    schema: JsonObject
    convert: Convert


@dataclass(frozen=True)
class Member:
    """A parameter of a function, a field of a dataclass or a key of a `TypedDict`. `where` is how
    its author finds it."""

    hint: Any
    required: bool
    default: Any
    where: str


def mismatch(path: str, name: str, value: Any) -> Mismatch:
    told = json.dumps(value, ensure_ascii=False)
    if len(told) > TOLD_LENGTH_MAX:
        told = f"{told[:TOLD_LENGTH_MAX]}…"
    return Mismatch(path, [f"{path or 'the arguments'} must be {name}, not {told}"])


def shape_of(hint: Any, where: str, outer: tuple[Any, ...] = ()) -> Shape:
    """What `hint` asks for. `where` is told to the author when it is unsupported; `outer` are the
    classes it stands in."""
    origin, arguments = get_origin(hint), get_args(hint)

    def inner(hint: Any) -> Shape:
        return shape_of(hint, where, outer)

    if origin is Annotated:
        return _described(inner(arguments[0]), arguments[1:])
    if isinstance(hint, NewType):
        return inner(hint.__supertype__)
    if type(hint).__name__ == "TypeAliasType":
        if hint in outer:
            raise UnsupportedHint(where, f"{hint} contains itself")
        return shape_of(hint.__value__, where, (*outer, hint))
    if hint is Any or hint is object:
        return Shape("anything", {}, lambda value, path: value)
    if origin is Literal:
        return _choice([(value, value) for value in arguments], where)
    if origin in (Union, types.UnionType):
        return _union([inner(argument) for argument in arguments])
    kind = origin or hint
    if not isinstance(kind, type):
        raise UnsupportedHint(where, f"{hint!r} has no JSON Schema")
    if kind in _SCALARS:
        return _SCALARS[kind]
    if issubclass(kind, enum.Enum):
        return _choice([(member.value, member) for member in kind], where)
    if kind in (list, Sequence):
        return _array(inner(arguments[0] if arguments else Any))
    if kind is tuple and len(arguments) == 2 and arguments[1] is ...:
        return _array(inner(arguments[0]), tuple)
    if kind is tuple and arguments:
        return _tuple([inner(argument) for argument in arguments])
    if kind is tuple:
        return _array(inner(Any), tuple)
    if kind in outer:
        raise UnsupportedHint(where, f"{kind.__name__} contains itself")
    if typing.is_typeddict(kind):
        return object_shape(_members_of_typed_dict(kind, where), dict, (*outer, kind))
    if dataclasses.is_dataclass(kind):
        return object_shape(_members_of_dataclass(kind, where), kind, (*outer, kind))
    if kind in (dict, Mapping):
        key, value = arguments or (str, Any)
        if key is not str:
            raise UnsupportedHint(where, f"the keys of {hint!r} are not strings")
        return _mapping(inner(value))
    raise UnsupportedHint(where, f"{hint!r} has no JSON Schema")


def object_shape(
    members: Mapping[str, Member], build: Callable[..., Any], outer: tuple[Any, ...] = ()
) -> Shape:
    """An object with just these members, of which `build` makes the value by keyword."""
    shapes = {
        name: shape_of(member.hint, member.where, outer) for name, member in members.items()
    }
    required = [name for name, member in members.items() if member.required]
    schema: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
    if required:
        schema["required"] = required
    for name, member in members.items():
        schema["properties"][name] = _with_default(shapes[name].schema, member)

    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise mismatch(path, "an object", value)
        converted, faults = {}, []
        for name in required:
            if name not in value:
                faults.append(f"{_below(path, name)} is missing")
        for name, part in value.items():
            shape = shapes.get(name)
            if shape is None:
                known = ", ".join(shapes) or "none"
                faults.append(f"{_below(path, name)} is not known; there are: {known}")
                continue
            try:
                converted[name] = shape.convert(part, _below(path, name))
            except Mismatch as fault:
                faults += fault.faults
        if faults:
            raise Mismatch(None, faults[:FAULTS_MAX])
        try:
            return build(**converted)
        except (TypeError, ValueError) as error:
            # A dataclass may have opinions of its own about what it is made of.
            raise Mismatch(path, [f"{path or 'the arguments'}: {error}"]) from error

    return Shape("an object", schema, convert)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _with_default(schema: JsonObject, member: Member) -> JsonObject:
    if member.required or member.default is dataclasses.MISSING:
        return schema
    try:
        return {**schema, "default": to_json(member.default)}
    except (TypeError, ValueError):
        # It holds all the same, clients are only not told of it.
        return schema


def _members_of_dataclass(kind: Any, where: str) -> dict[str, Member]:
    hints = typing.get_type_hints(kind, include_extras=True)
    members = {}
    for field in dataclasses.fields(kind):
        if field.init:
            missing = dataclasses.MISSING
            required = field.default is missing and field.default_factory is missing
            within = f"`{field.name}` of {kind.__name__} in {where}"
            members[field.name] = Member(hints[field.name], required, field.default, within)
    return members


def _members_of_typed_dict(kind: Any, where: str) -> dict[str, Member]:
    members = {}
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        required = name in kind.__required_keys__
        # Known by their names: they are in `typing` from 3.11 on, before in `typing_extensions`.
        while (marker := getattr(get_origin(hint), "_name", None)) in _MARKERS:
            required = required if marker == "ReadOnly" else marker == "Required"
            hint = get_args(hint)[0]
        within = f"`{name}` of {kind.__name__} in {where}"
        members[name] = Member(hint, required, dataclasses.MISSING, within)
    return members


_MARKERS = ("Required", "NotRequired", "ReadOnly")


def _described(shape: Shape, notes: tuple[Any, ...]) -> Shape:
    texts = [note for note in notes if isinstance(note, str)]
    if not texts:
        return shape
    return dataclasses.replace(shape, schema={**shape.schema, "description": " ".join(texts)})


def _scalar(name: str, kind: str, accepts: Callable[[Any], bool], build: Any = None) -> Shape:
    def convert(value: Any, path: str) -> Any:
        if not accepts(value):
            raise mismatch(path, name, value)
        return build(value) if build else value

    return Shape(name, {"type": kind}, convert)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    """JSON does not tell 1 from 1.0, and neither does JSON Schema."""
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_SCALARS: dict[Any, Shape] = {
    str: _scalar("a string", "string", lambda value: isinstance(value, str)),
    bool: _scalar("true or false", "boolean", lambda value: isinstance(value, bool)),
    int: _scalar("a whole number", "integer", _is_whole, int),
    float: _scalar("a number", "number", _is_number, float),
    type(None): _scalar("null", "null", lambda value: value is None),
}


def _choice(choices: Sequence[tuple[Any, Any]], where: str) -> Shape:
    """One of some values; the first of each pair is sent, the second is what Python gets."""
    try:
        pairs = [(to_json(value), meant) for value, meant in choices]
    except (TypeError, ValueError) as error:
        raise UnsupportedHint(where, str(error)) from error
    told = [value for value, _ in pairs]
    name = f"one of {json.dumps(told, ensure_ascii=False)}"
    schema: JsonObject = {"enum": told}
    if all(isinstance(value, str) for value in told):
        schema = {"type": "string", "enum": told}

    def convert(value: Any, path: str) -> Any:
        for choice, meant in pairs:
            # True equals 1 in Python, but not in JSON.
            if choice == value and isinstance(choice, bool) == isinstance(value, bool):
                return meant
        raise mismatch(path, name, value)

    return Shape(name, schema, convert)


def _union(shapes: Sequence[Shape]) -> Shape:
    name = " or ".join(shape.name for shape in shapes)

    def convert(value: Any, path: str) -> Any:
        misses = []
        for shape in shapes:
            try:
                return shape.convert(value, path)
            except Mismatch as miss:
                misses.append(miss)
        # When just one failed only further inside, that one was meant.
        inside = [miss for miss in misses if miss.path != path]
        raise inside[0] if len(inside) == 1 else mismatch(path, name, value)

    return Shape(name, {"anyOf": [shape.schema for shape in shapes]}, convert)


def _array(item: Shape, build: Callable[[list[Any]], Any] = list) -> Shape:
    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, list):
            raise mismatch(path, "an array", value)
        return build([item.convert(part, f"{path}[{at}]") for at, part in enumerate(value)])

    return Shape("an array", {"type": "array", "items": item.schema}, convert)


def _tuple(items: Sequence[Shape]) -> Shape:
    count = len(items)
    name = f"an array of {count}"
    schema = {
        "type": "array",
        "prefixItems": [item.schema for item in items],
        "minItems": count,
        "maxItems": count,
    }

    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, list) or len(value) != count:
            raise mismatch(path, name, value)
        parts = enumerate(zip(items, value))
        return tuple(item.convert(part, f"{path}[{at}]") for at, (item, part) in parts)

    return Shape(name, schema, convert)


def _mapping(item: Shape) -> Shape:
    def convert(value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            raise mismatch(path, "an object", value)
        return {key: item.convert(part, _below(path, key)) for key, part in value.items()}

    return Shape("an object", {"type": "object", "additionalProperties": item.schema}, convert)
