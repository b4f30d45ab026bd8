"""A function, made a tool."""

import asyncio
import contextvars
import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import MISSING
from typing import Any, get_args

from .context import Context
from .errors import BUSY, RpcError
from .frames import JsonObject
from .schema import Member, Shape, UnsupportedHint, object_shape

THREADS_MAX = 32
"""Plain functions that run at once; others wait for one to end."""

WAITING_MAX = 1000
"""Calls that wait for a thread, those cancelled meanwhile included; then the provider is busy."""


class Threads(ThreadPoolExecutor):
    """Where plain functions run."""

    def __init__(self) -> None:
        super().__init__(THREADS_MAX, thread_name_prefix="tool")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        if self._work_queue.qsize() >= WAITING_MAX:
            raise RpcError(BUSY, f"{WAITING_MAX} calls wait for a thread already")
        return super().submit(fn, *args, **kwargs)


class Tool:
    """A function and what clients are told of it.

    The schema of the arguments is made from the type hints, the description from the docstring and
    the descriptions of parameters from `Annotated[…, "text"]`. With `input_schema` the function
    gets the arguments as they came, as one `dict`. A parameter with the hint `Context`, wherever
    it stands, gets the call's context and is not told to clients.

    Raises `UnsupportedHint` for a parameter that no schema can be made for.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        title: str | None = None,
        description: str | None = None,
        annotations: Mapping[str, Any] | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name or function.__name__
        self._function = function
        self._is_async = inspect.iscoroutinefunction(function)
        parameters, self._context_name = _parameters(function, self.name)
        self._shape: Shape | None = None
        if input_schema is None:
            members = {parameter.name: _member(parameter, self.name) for parameter in parameters}
            self._shape = object_shape(members, dict)
            input_schema = self._shape.schema
        elif len(parameters) != 1:
            raise TypeError(f"{self.name}: with input_schema= it takes one dict of arguments")
        else:
            self._dict_name = parameters[0].name
        self.definition: JsonObject = {"name": self.name, "inputSchema": dict(input_schema)}
        told = {
            "title": title,
            "description": description or inspect.getdoc(function),
            "annotations": dict(annotations) if annotations is not None else None,
            "outputSchema": dict(output_schema) if output_schema is not None else None,
        }
        self.definition |= {key: value for key, value in told.items() if value is not None}

    def arguments(self, sent: JsonObject) -> JsonObject:
        """What the function is to be called with. Raises `Mismatch`."""
        if self._shape is None:
            return {self._dict_name: sent}
        arguments: JsonObject = self._shape.convert(sent, "")
        return arguments

    async def run(self, arguments: JsonObject, context: Context, threads: Executor) -> Any:
        """Runs the function: here when it is asynchronous, else in one of `threads`."""
        if self._context_name is not None:
            arguments = {**arguments, self._context_name: context}
        if self._is_async:
            return await self._function(**arguments)
        work = functools.partial(_outcome, self._function, arguments)
        in_context = functools.partial(contextvars.copy_context().run, work)
        loop = asyncio.get_running_loop()
        value, error = await loop.run_in_executor(threads, in_context)
        if error is not None:
            raise error
        return value


def _outcome(
    function: Callable[..., Any], arguments: JsonObject
) -> tuple[Any, BaseException | None]:
    # Handed over as a value: some exceptions, such as StopIteration, get lost in a future.
    try:
        return function(**arguments), None
    except BaseException as error:
        return None, error


def _parameters(
    function: Callable[..., Any], tool: str
) -> tuple[list[inspect.Parameter], str | None]:
    """The parameters with their hints resolved, and which one is for the context."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        why = f"{error}; hints are looked up where the function's module defines them"
        raise UnsupportedHint(tool, why) from error
    parameters, context_name = [], None
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, parameter.empty)
        if hint is Context or Context in get_args(hint):
            context_name = parameter.name
        else:
            parameters.append(parameter.replace(annotation=hint))
    return parameters, context_name


def _member(parameter: inspect.Parameter, tool: str) -> Member:
    where = f"parameter `{parameter.name}` of {tool}"
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise UnsupportedHint(where, "arguments are passed by keyword")
    if parameter.annotation is parameter.empty:
        raise UnsupportedHint(where, "it has no type hint")
    required = parameter.default is parameter.empty
    default = MISSING if required else parameter.default
    return Member(parameter.annotation, required, default, where)
