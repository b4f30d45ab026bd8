"""Questions to the client in the middle of a tool."""

import asyncio
import json
from typing import Any

import mcp_types
import pytest
from conftest import Hub, eventually, text
from fake import fake_hub
from mcp import MCPError

from mcp_hub_client import Context, MissingCapability, Provider

FORM = {"type": "object", "properties": {"answer": {"type": "string"}}}


async def answer(context: Any, params: Any) -> mcp_types.ElicitResult:
    if params.mode == "url":
        return mcp_types.ElicitResult(action="accept")
    if "decline" in params.message:
        return mcp_types.ElicitResult(action="decline")
    content = {"answer": f"<{params.message}>"}
    return mcp_types.ElicitResult(action="accept", content=content)


async def sample(context: Any, params: Any) -> mcp_types.CreateMessageResult:
    content = mcp_types.TextContent(type="text", text="sampled")
    return mcp_types.CreateMessageResult(role="assistant", content=content, model="m")


async def roots(context: Any) -> mcp_types.ListRootsResult:
    return mcp_types.ListRootsResult(roots=[mcp_types.Root(uri="file:///x")])


CALLBACKS: Any = {
    "elicitation_callback": answer,
    "sampling_callback": sample,
    "list_roots_callback": roots,
}


def asking() -> tuple[Provider, list[str]]:
    provider, runs = Provider("asking"), []

    def interview(context: Context) -> str:
        runs.append("")
        first = context.elicit("one", FORM)
        assert first is not None
        second = context.elicit(f"two after {first['answer']}", FORM)
        return f"{first} {second}"

    @provider.tool()
    async def ask_here(context: Context) -> str:
        return interview(context)

    @provider.tool()
    def ask_there(context: Context) -> str:
        return interview(context)

    return provider, runs


@pytest.mark.parametrize("tool", ["ask_here", "ask_there"])
async def test_a_tool_asks_twice_and_runs_three_times(hub: Hub, tool: str) -> None:
    provider, runs = asking()
    async with provider.connect(hub.url), hub.client(**CALLBACKS) as client:
        result = await client.call_tool(tool)
    assert text(result) == "{'answer': '<one>'} {'answer': '<two after <one>>'}"
    assert len(runs) == 3


async def test_the_answers_outlive_the_provider(hub: Hub) -> None:
    """And an answer that is missing is asked for again."""
    async with hub.client(**CALLBACKS) as client:

        async def call(**more: Any) -> Any:
            provider, _ = asking()
            async with provider.connect(hub.url):
                return await client.session.call_tool(
                    "ask_here", {}, allow_input_required=True, **more
                )

        def said(words: str) -> Any:
            return mcp_types.ElicitResult(action="accept", content={"answer": words})

        asked = await call()
        assert list(asked.input_requests) == ["1"]
        again = await call(input_responses={}, request_state=asked.request_state)
        assert list(again.input_requests) == ["1"]
        responses = {"1": said("A")}
        asked = await call(input_responses=responses, request_state=again.request_state)
        assert list(asked.input_requests) == ["2"]
        responses = {"2": said("B")}
        result = await call(input_responses=responses, request_state=asked.request_state)
    assert text(result) == "{'answer': 'A'} {'answer': 'B'}"


async def test_users_decline_and_clients_are_asked_other_things(hub: Hub) -> None:
    provider = Provider("curious")

    @provider.tool()
    async def ask_all(context: Context) -> list[Any]:
        message = {"role": "user", "content": {"type": "text", "text": "hi"}}
        sampled = context.ask("sampling/createMessage", {"messages": [message], "maxTokens": 9})
        url = {"mode": "url", "url": "file:///x", "message": "Look", "elicitationId": "e"}
        return [
            context.elicit("to decline", FORM),
            sampled["content"]["text"],
            context.ask("roots/list")["roots"][0]["uri"],
            context.ask("elicitation/create", url)["action"],
        ]

    async with provider.connect(hub.url), hub.client(**CALLBACKS) as client:
        result = await client.call_tool("ask_all")
    assert json.loads(text(result)) == [None, "sampled", "file:///x", "accept"]


async def test_a_client_that_cannot_be_asked_is_told_what_it_lacks(hub: Hub) -> None:
    provider = Provider("curious")

    @provider.tool()
    def insist(context: Context) -> None:
        context.elicit("?", FORM)

    @provider.tool()
    async def shrug(context: Context) -> str:
        try:
            context.ask("roots/list")
        except MissingCapability as missing:
            return str(missing)
        raise AssertionError

    async with provider.connect(hub.url), hub.client() as client:
        assert "roots" in text(await client.call_tool("shrug"))
        with pytest.raises(MCPError) as refused:
            await client.call_tool("insist")
    assert refused.value.error.code == -32021
    assert refused.value.error.data == {"requiredCapabilities": {"elicitation": {"form": {}}}}


async def test_a_question_is_asked_whatever_the_tool_makes_of_it(hub: Hub) -> None:
    provider = Provider("stubborn")

    @provider.tool()
    async def together(context: Context) -> list[Any]:
        async def ask(message: str) -> Any:
            return context.elicit(message, FORM)

        return list(await asyncio.gather(ask("a"), ask("b")))

    @provider.tool()
    def swallow(context: Context) -> str:
        try:
            return str(context.elicit("c", FORM))
        except BaseException:
            return "swallowed"

    async with provider.connect(hub.url), hub.client(**CALLBACKS) as client:
        both = json.loads(text(await client.call_tool("together")))
        assert both == [{"answer": "<a>"}, {"answer": "<b>"}]
        assert text(await client.call_tool("swallow")) == "{'answer': '<c>'}"


META = "io.modelcontextprotocol/clientCapabilities"


@pytest.mark.parametrize(
    ("capabilities", "question", "lacks"),
    [
        ({"elicitation": {}}, ("elicitation/create", {}), None),
        ({"elicitation": {"form": {}}}, ("elicitation/create", {"mode": "form"}), None),
        ({"elicitation": {"url": {}}}, ("elicitation/create", {"mode": "url"}), None),
        (
            {"elicitation": {"url": {}}},
            ("elicitation/create", {}),
            {"elicitation": {"form": {}}},
        ),
        (
            {"elicitation": {}},
            ("elicitation/create", {"mode": "url"}),
            {"elicitation": {"url": {}}},
        ),
        ({"sampling": {}}, ("sampling/createMessage", {}), None),
        (
            {"sampling": {}},
            ("sampling/createMessage", {"tools": []}),
            {"sampling": {"tools": {}}},
        ),
        ({"roots": None}, ("roots/list", {}), {"roots": {}}),
        ("none", ("roots/list", {}), {"roots": {}}),
    ],
)
def test_capabilities(capabilities: Any, question: Any, lacks: Any) -> None:
    context = Context({"name": "t", "_meta": {META: capabilities}}, lambda method, params: None)
    if lacks is None:
        with pytest.raises(BaseException) as unwound:
            context.ask(*question)
        assert not isinstance(unwound.value, Exception)
        assert context.pending() is not None
    else:
        with pytest.raises(MissingCapability) as missing:
            context.ask(*question)
        assert missing.value.required == lacks and context.pending() is None


async def test_a_state_nobody_gave_out_is_refused() -> None:
    provider, _ = asking()
    states = ["no JSON", "[]", '{"1":2}', 5, "[" * 100_000]
    async with fake_hub() as hub, provider.connect(hub.url):
        hub.limits["callsInFlight"] = 10
        for id, state in enumerate(states, 1):
            await hub.call(id, "ask_here", requestState=state)
            await eventually(lambda: len(hub.heard) == id, "the call is refused")
    assert [frame["error"]["code"] for frame in hub.heard] == [-32602] * len(states)
