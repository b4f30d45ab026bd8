"""Calls, as clients see them and as they go over the wire."""

import asyncio
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from conftest import Hub, eventually, text
from fake import fake_hub
from mcp import MCPError

from mcp_hub_client import Context, Provider, RpcError
from mcp_hub_client import session as session_module
from mcp_hub_client import tool as tool_module

ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


@dataclass
class Person:
    name: str
    age: int = 1


@ERAS
async def test_asynchronous_and_plain_tools_are_listed_and_called(hub: Hub, mode: str) -> None:
    provider = Provider("people", version="1.0.0")

    @provider.tool()
    async def greet(person: Person, times: int = 1) -> str:
        """Greets."""
        return f"Hello, {person.name}!" * times

    @provider.tool(name="older", annotations={"readOnlyHint": True})
    def make_older(person: Person) -> Person:
        assert threading.current_thread() is not threading.main_thread()
        return Person(person.name, person.age + 1)

    @provider.tool(input_schema={"type": "object", "properties": {"any": {}}})
    def raw(arguments: dict[str, Any]) -> list[Any]:
        return [arguments]

    async with provider.connect(hub.url), hub.client(mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["greet", "older", "raw"]
        assert tools["greet"].description == "Greets."
        assert tools["raw"].input_schema == {"type": "object", "properties": {"any": {}}}
        greeted = await client.call_tool("greet", {"person": {"name": "Ada"}, "times": 2})
        assert text(greeted) == "Hello, Ada!Hello, Ada!"
        older = await client.call_tool("older", {"person": {"name": "Ada", "age": 36}})
        assert older.structured_content == {"name": "Ada", "age": 37}
        assert text(await client.call_tool("raw", {"any": 1})) == '[{"any": 1}]'
        assert text(await client.call_tool("raw")) == "[{}]"


async def test_wrong_arguments_are_named_and_the_function_is_not_run(hub: Hub) -> None:
    provider, ran = Provider("people"), []

    @provider.tool()
    def greet(person: Person, times: int = 1) -> None:
        ran.append(person)

    async with provider.connect(hub.url), hub.client() as client:
        sent = {"person": {"name": "Ada", "age": "old"}, "time": 2}
        result = await client.call_tool("greet", sent)
    assert result.is_error and not ran
    assert text(result).splitlines() == [
        'person.age must be a whole number, not "old"',
        "time is not known; there are: person, times",
    ]


async def test_exceptions_become_results_that_say_so(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Provider("faulty")

    @provider.tool()
    async def fail() -> None:
        raise OSError("the disk is full")

    @provider.tool()
    def stop() -> None:
        raise StopIteration

    @provider.tool()
    async def leave() -> None:
        sys.exit("I leave")

    @provider.tool()
    async def give_up() -> None:
        raise asyncio.CancelledError("of my own accord")

    @provider.tool()
    async def odd() -> bytes:
        return b"bytes"

    @provider.tool()
    async def half() -> str:
        return "\ud800"

    @provider.tool()
    async def judge() -> None:
        raise RpcError(-32602, "the colour is not in stock", {"colours": ("red",)})

    @provider.tool()
    async def misjudge() -> None:
        raise RpcError(-32602, "?", b"bytes")

    async with provider.connect(hub.url), hub.client() as client:

        async def check(tool: str, message: str) -> None:
            result = await client.call_tool(tool)
            assert result.is_error and message in text(result)

        await check("fail", "the disk is full")
        await check("stop", "StopIteration")
        await check("leave", "I leave")
        await check("give_up", "of my own accord")
        await check("odd", "odd returned what cannot be sent: bytes has no JSON form")
        await check("misjudge", "bytes has no JSON form")
        await check("half", "half returned what cannot be sent")
        with pytest.raises(MCPError) as refused:
            await client.call_tool("judge")
    assert refused.value.error.code == -32602
    assert refused.value.error.data == {"colours": ["red"]}
    assert "Traceback" in caplog.text and "the disk is full" in caplog.text


@ERAS
async def test_progress_and_log_arrive_from_tasks_and_threads(hub: Hub, mode: str) -> None:
    provider = Provider("talkative")

    def talk(context: Context) -> None:
        context.progress(1, total=2, message="half")
        context.log("warning", {"seen": Person("Ada")}, logger="tests")
        context.progress(2)

    @provider.tool()
    async def here(context: Context) -> None:
        talk(context)

    @provider.tool()
    def there(context: Context) -> None:
        talk(context)

    steps: list[Any] = []
    logged: list[Any] = []

    async def on_progress(step: float, total: float | None, message: str | None) -> None:
        steps.append((step, total, message))

    async def on_log(params: Any) -> None:
        logged.append((params.level, params.data, params.logger))

    about = {"logging_callback": on_log, "log_level": "info" if mode == "auto" else None}
    async with provider.connect(hub.url), hub.client(mode, **about) as client:
        for tool in ("here", "there"):
            steps.clear()
            logged.clear()
            await client.call_tool(tool, progress_callback=on_progress)
            await eventually(lambda: len(steps) == 2 and len(logged) == 1, "all is heard")
            assert steps == [(1, 2, "half"), (2, None, None)]
            assert logged == [("warning", {"seen": {"name": "Ada", "age": 1}}, "tests")]


async def test_what_a_tool_says_wrongly_it_is_told_itself(hub: Hub) -> None:
    provider = Provider("talkative")

    @provider.tool()
    async def shout(context: Context) -> str:
        level: Any = "loud"
        with pytest.raises(ValueError, match="debug, info"):
            context.log(level, "text")
        with pytest.raises(TypeError):
            context.log("info", b"bytes")
        with pytest.raises(ValueError):
            context.progress(float("nan"))
        return str(context.client_info["name"])

    async with provider.connect(hub.url), hub.client() as client:
        assert text(await client.call_tool("shout")) == "mcp"


@ERAS
async def test_a_client_that_leaves_cancels_the_work(hub: Hub, mode: str) -> None:
    provider, began, ended = Provider("patient"), [], []

    @provider.tool()
    async def sleep(context: Context) -> None:
        began.append("sleep")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(("sleep", context.cancelled.is_set()))
            raise

    @provider.tool()
    def watch(context: Context) -> None:
        began.append("watch")
        ended.append(("watch", context.cancelled.wait(10)))

    async with provider.connect(hub.url), hub.client(mode) as client:
        for tool in ("sleep", "watch"):
            call = asyncio.create_task(client.call_tool(tool))
            await eventually(lambda: tool in began, f"{tool} begins")
            call.cancel()
            await eventually(lambda: (tool, True) in ended, f"{tool} is cancelled")
            with pytest.raises(asyncio.CancelledError):
                await call


async def test_a_lost_hub_cancels_the_work(make_hub: Callable[..., Hub]) -> None:
    hub, provider, began, ended = make_hub(), Provider("patient"), [], []

    @provider.tool()
    def watch(context: Context) -> None:
        began.append(True)
        ended.append(context.cancelled.wait(10))

    async def call() -> None:
        async with hub.client() as client:
            await client.call_tool("watch")

    async with provider.connect(hub.url):
        calling = asyncio.create_task(call())
        await eventually(lambda: bool(began), "the tool begins")
        hub.kill()
        await eventually(lambda: ended == [True], "the tool is cancelled")
        await asyncio.wait({calling})
        assert calling.exception()


async def test_a_result_the_hub_would_not_take_says_so(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(LIMITS__PROVIDER_MESSAGE="64 KiB", LIMITS__TOOL_DEFINITION="64 KiB")
    provider = Provider("big")

    @provider.tool()
    async def text_of(length: int) -> str:
        return "x" * length

    async with provider.connect(hub.url), hub.client() as client:
        around = len('{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":""}]}}')
        result = await client.call_tool("text_of", {"length": 64 * 1024 - around - 10})
        assert not result.is_error
        result = await client.call_tool("text_of", {"length": 64 * 1024})
        assert result.is_error and ", the hub takes 65536 (limits.messageBytes)" in text(result)


async def test_nothing_late_is_ever_sent() -> None:
    provider, contexts, ended = Provider("late"), [], []

    @provider.tool()
    async def stubborn(context: Context) -> str:
        contexts.append(context)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            context.progress(1)
        ended.append(True)
        return "late"

    @provider.tool()
    def slow(context: Context) -> str:
        contexts.append(context)
        context.cancelled.wait(10)
        context.log("info", "late")
        ended.append(True)
        return "late"

    @provider.tool()
    async def quick(context: Context) -> str:
        contexts.append(context)
        return "in time"

    async with fake_hub() as hub, provider.connect(hub.url):
        for id, tool in ((1, "stubborn"), (2, "slow")):
            await hub.call(id, tool)
            await eventually(lambda: len(contexts) == id, f"{tool} begins")
            await hub.cancel(id)
            await hub.cancel(id)
            await eventually(lambda: len(ended) == id, f"{tool} ends")
        await hub.call(3, "quick")
        await eventually(lambda: bool(hub.answers(3)), "quick answers")
        for context in contexts:
            context.progress(1)
            await asyncio.to_thread(context.progress, 1)

        # Calls of an earlier connection are none of the next.
        await hub.call(4, "stubborn")
        await eventually(lambda: len(contexts) == 4, "stubborn begins")
        await hub.sockets[-1].close()
        await eventually(lambda: len(ended) == 3, "stubborn ends")
        await eventually(lambda: len(hub.registrations) == 2, "the provider is back")
        await hub.say(id=5, method="ping")
        await eventually(lambda: bool(hub.answers(5)), "the ping is answered")
        assert [frame.get("id") for frame in hub.heard] == [3, 5]
        assert hub.heard[-1]["result"] == {}
    contexts[-1].progress(1)


async def test_notices_that_the_hub_does_not_read_are_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_module, "NOTICE_BYTES_MAX", 1000)
    provider = Provider("flood")

    @provider.tool()
    async def flood(context: Context) -> str:
        for step in range(1000):
            context.progress(step)
        return "done"

    async with fake_hub() as hub, provider.connect(hub.url):
        for id in (1, 2):
            await hub.call(id, "flood")
            await eventually(lambda: bool(hub.answers(id)), "the call is answered")
            notices = [frame for frame in hub.heard if "id" not in frame]
            assert 1 <= len(notices) <= 12
            hub.heard.clear()


async def test_what_the_contract_does_not_know_is_answered_or_left_alone() -> None:
    provider, release = Provider("strict"), asyncio.Event()

    @provider.tool()
    async def hold(number: int = 0) -> None:
        await release.wait()

    async with fake_hub() as hub, provider.connect(hub.url):
        await hub.call(1, "unknown")
        await hub.say(id=2, method="tools/list")
        await hub.say(method="notifications/other")
        await hub.call(3, "hold")
        await hub.call(4, "hold")
        await hub.call(5, "hold")
        await eventually(lambda: len(hub.heard) == 3, "three are answered")
        release.set()
        await eventually(lambda: len(hub.heard) == 5, "and the others")
        codes = [hub.answers(id)[0]["error"]["code"] for id in (1, 2, 5)]
        assert codes == [-32601, -32601, -32000]

        huge = '{"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"hold",'
        huge += f'"arguments":{{"number":{"1" * 5000}}},"_meta":{{"progressToken":6}}}}}}'
        await hub.sockets[-1].send(huge)
        await eventually(lambda: bool(hub.answers(6)), "the huge number is refused")
        assert hub.answers(6)[0]["result"]["isError"]

        await hub.sockets[-1].send("no JSON")
        await eventually(lambda: len(hub.registrations) == 2, "the provider is back")


async def test_when_too_many_wait_for_a_thread_the_provider_is_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tool_module, "WAITING_MAX", 0)
    provider = Provider("busy")

    @provider.tool()
    def work() -> None: ...

    async with fake_hub() as hub, provider.connect(hub.url):
        await hub.call(1, "work")
        await eventually(lambda: bool(hub.answers(1)), "the call is answered")
    assert hub.answers(1)[0]["error"]["code"] == -32000


async def test_plain_tools_run_side_by_side(hub: Hub) -> None:
    provider, meeting = Provider("pair"), threading.Barrier(2, timeout=10)

    @provider.tool()
    def meet() -> int:
        return meeting.wait()

    async with provider.connect(hub.url), hub.client() as client:
        results = await asyncio.gather(client.call_tool("meet"), client.call_tool("meet"))
    assert sorted(map(text, results)) == ["0", "1"]
