"""Offers Python functions as tools to an MCP Hub: see `Provider`."""

from .connection import Connection, Token
from .context import Context
from .errors import (
    HandshakeRefused,
    HubError,
    MissingCapability,
    RpcError,
    Superseded,
    ToolsRefused,
)
from .provider import Provider
from .results import audio, image
from .schema import UnsupportedHint
from .tool import Tool

__all__ = [
    "Connection",
    "Context",
    "HandshakeRefused",
    "HubError",
    "MissingCapability",
    "Provider",
    "RpcError",
    "Superseded",
    "Token",
    "Tool",
    "ToolsRefused",
    "UnsupportedHint",
    "audio",
    "image",
]
