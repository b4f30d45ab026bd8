"""The example runs as it stands, but for the port."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Hub, eventually, text

EXAMPLE = Path(__file__).parents[1] / "example.py"


def test_the_example_stands_in_the_readme() -> None:
    assert f"```python\n{EXAMPLE.read_text()}```" in (EXAMPLE.parent / "README.md").read_text()


@pytest.mark.parametrize("told_to_stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_example_greets_until_it_is_told_to_stop(
    hub: Hub, told_to_stop: signal.Signals
) -> None:
    source = EXAMPLE.read_text()
    assert source.count("http://127.0.0.1:8080") == 1
    source = source.replace("http://127.0.0.1:8080", hub.url)
    process = subprocess.Popen([sys.executable, "-c", source], cwd=EXAMPLE.parent)
    try:
        async with hub.client() as client:

            async def is_there() -> bool:
                tools = (await client.list_tools(cache_mode="bypass")).tools
                return [tool.name for tool in tools] == ["greet"]

            await eventually(is_there, "the tool is on offer")
            assert text(await client.call_tool("greet", {"name": "Ada"})) == "Hello, Ada!"
            process.send_signal(told_to_stop)
            assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
