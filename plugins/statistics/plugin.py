"""A plugin of MCP Hub: statistics of lists of numbers."""

import json
from statistics import StatisticsError

import computations
from arguments import check
from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.tools import (
    Annotations,
    CallError_InvalidArguments,
    CallError_UnknownTool,
    Content_Text,
    Outcome_Complete,
    Tool,
    ToolResult,
)

MAX_NUMBERS = 100_000


def numbers(description, least=1, most=MAX_NUMBERS):
    items = {"type": "number"}
    return {"type": "array", "items": items, "minItems": least, "maxItems": most, "description": description}


def takes(required, **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def gives(required, **others):
    """What is always there are numbers; the rest is described one by one."""
    properties = {name: {"type": "number"} for name in required} | others
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


NUMBER = {"type": "number"}
LIST = {"type": "array", "items": NUMBER}
P_VALUE = {
    "type": "number",
    "description": "How likely chance alone gives at least as much, of either sign",
}

# name: title, description, input, output, what computes it
TOOLS = {
    "describe": (
        "Describe numbers",
        "Describes a list of numbers: count, sum, mean, median, modes, spread (sample variance and standard "
        "deviation, and of a whole population), quartiles, percentiles, skewness.",
        takes(
            ["data"],
            data=numbers("The numbers."),
            percentiles={
                "type": "array",
                "items": {"type": "number", "minimum": 0, "maximum": 100},
                "maxItems": 100,
                "description": "Which percentiles to give, 0 to 100.",
                "default": [5, 95],
            },
        ),
        gives(
            ["count", "sum", "mean", "median", "min", "max", "range"],
            quartiles=LIST,
            percentiles={"type": "object", "additionalProperties": NUMBER},
            modes=LIST | {"description": "At most 20; none if each number is there once"},
            variance=NUMBER,
            stdev=NUMBER,
            standard_error=NUMBER,
            population_stdev=NUMBER,
            skewness=NUMBER,
        ),
        computations.describe,
    ),
    "frequencies": (
        "Count frequencies",
        "Counts how many of the numbers lie in each of some parts of equal width: a histogram.",
        takes(
            ["data"],
            data=numbers("The numbers."),
            bins={
                "type": "integer",
                "minimum": 1,
                "maximum": 1000,
                "description": "How many parts.",
                "default": 10,
            },
        ),
        gives(
            ["count"],
            bins={
                "type": "array",
                "items": gives(["from", "to", "count", "share"]),
                "description": "Each without its end, except the last",
            },
        ),
        computations.frequencies,
    ),
    "correlation": (
        "Correlation",
        "Tells how closely two lists of numbers go along with each other, from -1 to 1, and whether it "
        "may be chance.",
        takes(
            ["x", "y"],
            x=numbers("The first list."),
            y=numbers("The second list, as long as the first."),
            method={
                "type": "string",
                "enum": ["pearson", "spearman"],
                "description": "pearson: along a straight line. spearman: by rank, along any rising or "
                "falling line.",
                "default": "pearson",
            },
        ),
        gives(["coefficient", "count"], method={"type": "string"}, p_value=P_VALUE),
        computations.correlation,
    ),
    "linear_regression": (
        "Linear regression",
        "Finds the straight line y = slope * x + intercept that lies nearest to the points, tells how well "
        "it fits, and predicts y for other x.",
        takes(
            ["x", "y"],
            x=numbers("What y depends on."),
            y=numbers("What depends on x: as many numbers."),
            predict={
                **numbers("For which x to predict y.", 0, 1000),
                "default": [],
            },
        ),
        gives(
            ["slope", "intercept", "r_squared", "residual_error", "slope_error", "count"],
            p_value=P_VALUE,
            predictions={"type": "array", "items": gives(["x", "y"])},
        ),
        computations.linear_regression,
    ),
    "compare_means": (
        "Compare means",
        "Tells whether the means of two independent lists of numbers differ by more than chance explains "
        "(Welch's t-test).",
        takes(["a", "b"], a=numbers("The first list.", 2), b=numbers("The second list.", 2)),
        gives(
            ["mean_a", "mean_b", "difference", "standard_error", "t", "degrees_of_freedom"],
            p_value=P_VALUE,
        ),
        computations.compare_means,
    ),
}


def lines(value, indent=""):
    """A result as text: one line for each number."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield f"{indent}{key}:"
            yield from lines(inner, indent + "  ")
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            yield f"{indent}{key}:"
            for one in inner:
                yield f"{indent}- " + ", ".join(f"{name} {shown(number)}" for name, number in one.items())
        elif isinstance(inner, list):
            yield f"{indent}{key}: {', '.join(map(shown, inner))}"
        else:
            yield f"{indent}{key}: {shown(inner)}"


def shown(value):
    # Twelve digits are true; those after are noise to whoever reads them.
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def answer(text, structured=None, is_error=False):
    return Outcome_Complete(ToolResult([Content_Text(text)], structured, is_error, None))


class Tools(exports.Tools):
    def list_tools(self):
        return [
            Tool(
                name,
                title,
                description,
                json.dumps(takes),
                json.dumps(gives),
                Annotations(None, True, False, True, False),
                None,
            )
            for name, (title, description, takes, gives, _) in TOOLS.items()
        ]

    def call_tool(self, request):
        if request.name not in TOOLS:
            raise Err(CallError_UnknownTool(request.name))
        _, _, takes, _, compute = TOOLS[request.name]
        try:
            arguments = check(takes, json.loads(request.arguments))
        except (ValueError, RecursionError) as error:
            raise Err(CallError_InvalidArguments(str(error)))
        try:
            result = compute(**arguments)
            structured = json.dumps(result, allow_nan=False)
        except StatisticsError as error:
            return answer(f"This cannot be computed: {error}.", is_error=True)
        except (OverflowError, ValueError):
            return answer("This cannot be computed: the numbers are too large.", is_error=True)
        return answer("\n".join(lines(result)), structured)
