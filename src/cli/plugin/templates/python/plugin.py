"""{{name}}: a plugin of MCP Hub. What a plugin is, and may ask for, says wit/plugin.wit."""

import json

from componentize_py_types import Err
from wit_world.exports import Tools as ToolsProtocol
from wit_world.exports.tools import (
    Annotations,
    CallError_InvalidArguments,
    CallError_UnknownTool,
    Content_Text,
    Outcome_Complete,
    Tool,
    ToolResult,
)
from wit_world.imports import host

GREET = Tool(
    name="greet",
    title="Greet",
    description="Greets someone by name.",
    input_schema=json.dumps({
        "type": "object",
        "properties": {"name": {"type": "string", "description": "Whom to greet"}},
        "required": ["name"],
    }),
    output_schema=None,
    annotations=Annotations(
        title=None, read_only=True, destructive=None, idempotent=True, open_world=False
    ),
    meta=None,
)


class Tools(ToolsProtocol):
    def list_tools(self):
        """Asked once, when the plugin is loaded."""
        return [GREET]

    def call_tool(self, request):
        """Each call finds a fresh instance: nothing is remembered."""
        match request.name:
            case "greet":
                return greet(json.loads(request.arguments))
            case name:
                raise Err(CallError_UnknownTool(name))


def greet(arguments):
    # The hub does not hold the arguments against the schema.
    name = arguments.get("name")
    if not isinstance(name, str):
        raise Err(CallError_InvalidArguments("`name` must be a string"))

    # From [config] in {{name}}.toml.
    greeting = host.config("greeting") or "Hello"

    host.log(host.Level.DEBUG, f"greeting {name}")
    host.progress(1, 1, None)  # a longer tool says so on its way, too
    return text(f"{greeting}, {name}!")


def text(text):
    return Outcome_Complete(ToolResult([Content_Text(text)], None, False, None))
