"""How a provider comes to a hub, stays, and leaves."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Hub, eventually, text
from fake import fake_hub
from websockets.datastructures import Headers
from websockets.http11 import Response

from mcp_hub_client import (
    HandshakeRefused,
    HubError,
    Provider,
    Superseded,
    Tool,
    ToolsRefused,
)
from mcp_hub_client import connection as connection_module
from mcp_hub_client import session as session_module
from mcp_hub_client.connection import endpoint


def greeter() -> Provider:
    provider = Provider("greeter")

    @provider.tool()
    async def greet(name: str) -> str:
        return f"Hello, {name}!"

    return provider


async def says_hello(hub: Hub, token: str | None = None) -> bool:
    """Whether the tool can be called."""
    async with hub.client(token=token) as client:
        tools = (await client.list_tools()).tools
        if not tools:
            return False
        result = await client.call_tool("greet", {"name": "Ada"})
        return not result.is_error and text(result) == "Hello, Ada!"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/clients/ws"),
        ("http://127.0.0.1:8080/mcp/", "ws://127.0.0.1:8080/clients/ws"),
        ("https://hub.test/", "wss://hub.test/clients/ws"),
        ("wss://hub.test/clients/ws", "wss://hub.test/clients/ws"),
        ("ws://hub.test/below/mcp", "ws://hub.test/below/clients/ws"),
    ],
)
def test_a_hub_may_be_named_in_many_ways(url: str, place: str) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8080", "http://", "ftp://x", "http://x?token=t", "http://u:p@x", "http://x#f"],
)
def test_what_is_no_url_of_a_hub_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="the URL of a hub"):
        greeter().connect(url)


async def test_tokens_that_do_not_permit_it_are_refused(guarded: Hub) -> None:
    for token in (None, "wrong"):
        with pytest.raises(HandshakeRefused) as refused:
            await greeter().connect(guarded.url, token=token)
        assert refused.value.status == 401
    with pytest.raises(HandshakeRefused, match="403") as refused:
        await greeter().connect(guarded.url, token=guarded.token("--scope", "mcp:tools"))
    assert refused.value.status == 403


async def test_a_renewed_token_keeps_the_tools_on_offer(guarded: Hub) -> None:
    given = []

    async def renew() -> str:
        given.append(guarded.token("--ttl", "10m" if given else "1s"))
        return given[-1]

    async with greeter().connect(guarded.url, token=renew):
        await eventually(lambda: len(given) == 2, "a second token is asked for")
        token = guarded.token()
        await eventually(lambda: says_hello(guarded, token), "the tool is on offer again")
    assert len(given) == 2


async def test_a_token_that_cannot_be_renewed_ends_the_connection(guarded: Hub) -> None:
    async with greeter().connect(guarded.url, token=guarded.token("--ttl", "1s")) as connection:
        with pytest.raises(HandshakeRefused, match="401"):
            await asyncio.wait_for(connection.wait_closed(), 15)
        with pytest.raises(HandshakeRefused):
            await connection.set_tools([])


async def test_tokens_may_come_from_plain_functions_and_late() -> None:
    tokens: list[Any] = ["first", OSError("no network"), "second"]

    def next_token() -> str:
        token = tokens.pop(0)
        if isinstance(token, Exception):
            raise token
        return f"{token}\n"

    async with fake_hub() as hub:
        async with greeter().connect(hub.url, token=next_token):
            await hub.sockets[-1].close(4401, "the token has expired")
            await eventually(lambda: len(hub.registrations) == 2, "the provider is back")
            sent = [request.headers["Authorization"] for request in hub.requests]
            assert sent == ["Bearer first", "Bearer second"]
            assert "first" not in hub.requests[0].path
        tokens[:] = [ValueError("no password")]
        with pytest.raises(ValueError, match="no password"):
            await greeter().connect(hub.url, token=next_token)


async def test_a_hub_that_comes_back_gets_its_tools_back(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub()
    async with greeter().connect(hub.url):
        assert await says_hello(hub)
        hub.kill()
        hub.start(hub.port)
        await eventually(lambda: says_hello(hub), "the tool is on offer again")


async def test_a_hub_that_falls_silent_is_left_and_found_again(
    make_hub: Callable[..., Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "PING_INTERVAL", 0.1)
    monkeypatch.setattr(connection_module, "PING_TIME_MAX", 0.5)
    monkeypatch.setattr(connection_module, "OPENING_TIME_MAX", 0.5)
    hub = make_hub()
    async with greeter().connect(hub.url) as connection:
        hub.process.send_signal(signal.SIGSTOP)
        await eventually(lambda: connection._session is None, "the silence is noticed")
        hub.process.send_signal(signal.SIGCONT)
        await eventually(lambda: says_hello(hub), "the tool is on offer again")


async def test_a_hub_that_is_not_there_yet_is_waited_for(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub()
    port = hub.port
    hub.kill()
    opening = asyncio.create_task(greeter().connect(hub.url)._open())
    dead = greeter().connect(hub.url)
    waiting = asyncio.create_task(dead._open())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    hub.start(port)
    connection = await asyncio.wait_for(opening, 15)
    assert await says_hello(hub)
    await connection.close()
    await connection.wait_closed()
    with pytest.raises(HubError, match="closed"):
        await connection.set_tools([])
    with pytest.raises(RuntimeError):
        await connection


async def test_a_connection_that_was_never_opened_can_be_closed() -> None:
    connection = greeter().connect("http://127.0.0.1:1")
    with pytest.raises(RuntimeError):
        await connection.set_tools([])
    await connection.wait_closed()
    await connection.close()


def broken(name: str) -> Tool:
    return Tool(lambda arguments: None, name=name, input_schema={"type": "array"})


async def test_a_refused_tool_set_says_why(hub: Hub) -> None:
    provider = greeter()
    provider.tools += [broken("a b"), *provider.tools]
    with pytest.raises(ToolsRefused) as refused:
        await provider.connect(hub.url)
    assert [(tool["index"], tool["name"]) for tool in refused.value.tools] == [
        (1, "a b"),
        (2, "greet"),
    ]
    assert "declared twice" in str(refused.value)


async def test_tools_change_while_connected_or_stay_as_they_are(
    make_hub: Callable[..., Hub],
) -> None:
    hub = make_hub(LIMITS__PROVIDER_MESSAGE="64 KiB", LIMITS__TOOL_DEFINITION="64 KiB")
    provider = greeter()

    async def part(name: str) -> str:
        return f"Goodbye, {name}!"

    async with provider.connect(hub.url) as connection, hub.client() as client:

        async def names() -> list[str]:
            return [tool.name for tool in (await client.list_tools(cache_mode="bypass")).tools]

        provider.tool()(part)
        result = await connection.set_tools(provider.tools)
        assert [place["name"] for place in result["tools"]] == ["greet", "part"]
        assert await names() == ["greet", "part"]
        assert text(await client.call_tool("part", {"name": "Ada"})) == "Goodbye, Ada!"

        with pytest.raises(ToolsRefused):
            await connection.set_tools([broken("bad")])
        with pytest.raises(ToolsRefused, match="messageBytes"):
            await connection.set_tools([Tool(part, description="x" * 70_000)])
        assert await names() == ["greet", "part"]
        assert [tool.name for tool in connection.tools] == ["greet", "part"]
        assert text(await client.call_tool("part", {"name": "Ada"})) == "Goodbye, Ada!"

        await connection.set_tools([])
        assert await names() == []

    provider.tools = [Tool(part, name=f"part{n}", description="x" * 60_000) for n in range(2)]
    with pytest.raises(ToolsRefused, match="too large"):
        await provider.connect(hub.url)


async def test_tools_set_while_the_hub_is_away_are_offered_when_it_is_back(
    make_hub: Callable[..., Hub],
) -> None:
    hub = make_hub()
    provider = greeter()
    tools, provider.tools = provider.tools, []
    async with provider.connect(hub.url) as connection:
        hub.kill()
        setting = asyncio.create_task(connection.set_tools(tools))
        hub.start(hub.port)
        await asyncio.wait_for(setting, 15)
        assert await says_hello(hub)


async def test_tools_set_just_when_the_line_breaks_wait_for_the_next() -> None:
    async with fake_hub() as hub, greeter().connect(hub.url) as connection:
        # The session has ended, and its connection has not had a turn to notice.
        connection._session._is_over = True
        setting = asyncio.create_task(connection.set_tools([]))
        await hub.sockets[-1].close()
        await asyncio.wait_for(setting, 15)


async def test_of_two_with_the_same_instance_the_later_stays(hub: Hub) -> None:
    provider = greeter()
    provider.instance_id = "the one"
    async with provider.connect(hub.url) as earlier, provider.connect(hub.url):
        with pytest.raises(Superseded, match="the same instanceId"):
            await asyncio.wait_for(earlier.wait_closed(), 15)
        assert await says_hello(hub)


def refusal(status: int, body: bytes = b"", **headers: str) -> Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Response(status, "no", Headers({"Content-Length": str(len(body)), **named}), body)


async def test_a_busy_hub_is_given_the_time_it_asks_for() -> None:
    async with fake_hub() as hub:
        hub.refusals = [refusal(503), refusal(429, Retry_After="1")]
        began = time.monotonic()
        async with greeter().connect(hub.url):
            assert time.monotonic() - began >= 1
            assert len(hub.requests) == 3
            # Once it has been in, even a strange answer does not end it, but a refusal does.
            hub.refusals = [refusal(404), refusal(302, Location=hub.url)]
            await hub.sockets[-1].close(1001)
            await eventually(lambda: len(hub.registrations) == 2, "the provider is back")
            instances = [params["provider"]["instanceId"] for params in hub.registrations]
            assert instances[0] == instances[1]


async def test_what_trying_again_does_not_mend_is_told_at_once() -> None:
    async with fake_hub() as hub:
        hub.refusals = [refusal(404, b"nothing is here\n")]
        with pytest.raises(HandshakeRefused, match="nothing is here"):
            await greeter().connect(hub.url)
        hub.refusals = [refusal(302, Location=f"{hub.url}/elsewhere")]
        with pytest.raises(HandshakeRefused, match="302"):
            await greeter().connect(hub.url, token="secret")
        assert len(hub.requests) == 2

        connection = await greeter().connect(hub.url)
        hub.refusals = [refusal(403, b"go away")]
        await hub.sockets[-1].close(1001)
        with pytest.raises(HandshakeRefused, match="go away"):
            await asyncio.wait_for(connection.wait_closed(), 15)
        await connection.close()
        assert not hub.refusals and len(hub.requests) == 4


async def test_after_a_refusal_of_known_tools_it_tries_again() -> None:
    async with fake_hub() as hub, greeter().connect(hub.url):
        hub.takes_in = False
        await hub.sockets[-1].close(1001)
        await eventually(lambda: len(hub.registrations) == 2, "the provider is back")
        hub.takes_in = True
        await hub.say(id=1, error={"code": -32602, "message": "there are too many"})
        await eventually(lambda: len(hub.registrations) == 3, "it tries again")


async def test_a_registration_without_an_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "REGISTRATION_TIME_MAX", 0.05)
    async with fake_hub() as hub:
        hub.takes_in = False
        opening = asyncio.create_task(greeter().connect(hub.url)._open())
        await eventually(lambda: len(hub.registrations) == 1, "it registers")
        # An answer that comes too late finds nobody.
        await eventually(lambda: len(hub.registrations) == 2, "it tries again")
        hub.takes_in = True
        connection = await asyncio.wait_for(opening, 15)

        # What breaks off while tools are set is done again on the next connection.
        hub.takes_in = False
        setting = asyncio.create_task(connection.set_tools([]))
        count = len(hub.registrations)
        await eventually(lambda: len(hub.registrations) > count, "the tools are on their way")
        hub.takes_in = True
        await asyncio.wait_for(setting, 15)
        await connection.close()


async def test_the_pause_grows_within_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds: list[float] = []

    def uniform(least: float, most: float) -> float:
        bounds.append(most)
        return 0

    monkeypatch.setattr(connection_module.random, "uniform", uniform)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        opening = asyncio.create_task(greeter().connect(url)._open())
        await eventually(lambda: len(bounds) >= 9, "it tries again and again")
        opening.cancel()
    assert bounds[:9] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


async def test_nothing_comes_back_after_close() -> None:
    async with fake_hub() as hub:
        connection = await greeter().connect(hub.url)
        await connection.close()
        await connection.close()
        await connection.wait_closed()
        assert len(hub.requests) == 1
