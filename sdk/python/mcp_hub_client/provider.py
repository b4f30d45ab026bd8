"""A provider: a name and the tools it offers."""

import asyncio
import contextlib
import signal
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from .connection import Connection, Token
from .frames import About
from .tool import Tool

Function = TypeVar("Function", bound=Callable[..., Any])


class Provider:
    """Offers functions as tools to a hub.

        provider = Provider("search-worker", version="1.2.0")

        @provider.tool()
        async def search(query: str, limit: int = 10) -> str:
            \"\"\"Searches the documents.\"\"\"
            ...

        provider.run("http://127.0.0.1:8080")

    By `instance_id` the hub knows a provider that connects again; without one, each `Connection`
    makes its own. Two that live at the same time must not share one.
    """

    def __init__(
        self,
        name: str,
        *,
        version: str | None = None,
        tools: Iterable[Tool] = (),
        instance_id: str | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.tools = list(tools)
        self.instance_id = instance_id

    def tool(
        self,
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
    ) -> Callable[[Function], Function]:
        """Makes the decorated function a tool, as `Tool` says, and leaves it as it is.

        A connection offers the tools there were when it was opened. To offer later ones as well:
        `await connection.set_tools(provider.tools)`.
        """

        def add(function: Function) -> Function:
            tool = Tool(
                function,
                name=name,
                title=title,
                description=description,
                annotations=annotations,
                input_schema=input_schema,
                output_schema=output_schema,
            )
            self.tools.append(tool)
            return function

        return add

    def connect(self, url: str, *, token: Token = None) -> Connection:
        """A connection to the hub at `url`, to be opened with `await` or `async with`.

        `token` may be a function, asynchronous or not, that is asked whenever a connection is made.
        Raises `ValueError` for what is no URL of a hub.
        """
        about: About = {"name": self.name, "instanceId": self.instance_id or uuid.uuid4().hex}
        if self.version is not None:
            about["version"] = self.version
        return Connection(url, token, about, self.tools)

    def run(self, url: str, *, token: Token = None) -> None:
        """Offers the tools until Ctrl-C or SIGTERM. Raises the `HubError` that ends it earlier."""
        asyncio.run(self._run(url, token))

    async def _run(self, url: str, token: Token) -> None:
        async def serve() -> None:
            async with self.connect(url, token=token) as connection:
                await connection.wait_closed()

        serving = asyncio.create_task(serve())
        for told_to_stop in (signal.SIGINT, signal.SIGTERM):
            # Windows has no such handlers, nor have threads other than the main one.
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                asyncio.get_running_loop().add_signal_handler(told_to_stop, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving
