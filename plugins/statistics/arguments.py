"""Holds arguments against the JSON Schema that their tool shows: as much of JSON Schema as these tools
use. So what is written there is what is checked here."""

import math

KINDS = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def check(schema, value, name="the arguments"):
    """Returns the value, with defaults; raises a ValueError that says which part is wrong."""
    kind = schema["type"]
    is_bool = isinstance(value, bool)
    # A truth value is a number in Python, and 2.0 is an integer in JSON.
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, KINDS[kind]) or (is_bool and kind != "boolean"):
        raise ValueError(f"{name}: {article(kind)} is expected")
    if "enum" in schema and value not in schema["enum"]:
        raise ValueError(f"{name}: one of {', '.join(schema['enum'])} is expected")
    if kind in ("integer", "number"):
        value = check_number(schema, value, name)
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
        if not least <= len(value) <= most:
            raise ValueError(f"{name}: {least} to {most} items are expected, not {len(value)}")
        return [check(schema["items"], item, f"{name}[{index}]") for index, item in enumerate(value)]
    if kind == "object":
        return check_object(schema, value)
    return value


def check_number(schema, value, name):
    try:
        if schema["type"] == "number":
            value = float(value)
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise ValueError(f"{name}: a finite number is expected")
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    if not least <= value <= most:
        raise ValueError(f"{name}: {least} to {most} is expected")
    return value


def check_object(schema, value):
    properties = schema["properties"]
    for key in value:
        if key not in properties:
            raise ValueError(f"there is no argument {key!r}, only {', '.join(properties)}")
    checked = {}
    for key, inner in properties.items():
        if key in value:
            checked[key] = check(inner, value[key], key)
        elif key in schema.get("required", []):
            raise ValueError(f"{key}: it is missing")
        elif "default" in inner:
            checked[key] = inner["default"]
    return checked


def article(kind):
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
