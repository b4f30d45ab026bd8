"""A real hub to test with, and how to wait."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

PATIENCE = 15.0
"""Seconds until what should happen counts as not happening."""

BINARY = Path(
    os.environ.get("MCP_HUB_BIN")
    or Path(__file__).parents[3] / "target" / "debug" / "mcp-hub"
)

SECRET = "a secret of the tests, 32 bytes or longer"


class Hub:
    """The real binary in a process of its own."""

    def __init__(self, folder: Path, port: int = 0, **settings: str) -> None:
        if not BINARY.exists():
            pytest.fail(f"there is no hub at {BINARY}: run `cargo build`, or set MCP_HUB_BIN")
        self.folder = folder
        self.settings = settings
        self.environment = {key: value for key, value in os.environ.items() if "MCP_HUB" not in key}
        self.environment |= {f"MCP_HUB_{key}": value for key, value in settings.items()}
        self.start(port)

    def start(self, port: int) -> None:
        log = self.folder / "hub.log"
        with log.open("a") as stderr:
            self.process = subprocess.Popen(
                [BINARY, "--listen", f"127.0.0.1:{port}"],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.split()[:1] == ["clients"]:
                self.url = line.split()[1]
                return
        pytest.fail(f"the hub did not start: {log.read_text()}")

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1].split("/")[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def token(self, *arguments: str) -> str:
        command = [BINARY, "token", "--user", "alice", *arguments]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, capture_output=True
        )
        return ran.stdout.decode()

    @asynccontextmanager
    async def client(
        self, mode: str = "auto", token: str | None = None, **options: Any
    ) -> AsyncIterator[Client]:
        """The official client, connected."""
        headers = {"Authorization": f"Bearer {token.strip()}"} if token else None
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE) as http:
            transport = streamable_http_client(self.url, http_client=http)
            async with Client(transport, mode=mode, **options) as client:
                yield client


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One that all tests share who do it no harm."""
    hub = Hub(tmp_path_factory.mktemp("hub"))
    yield hub
    hub.kill()


@pytest.fixture
def make_hub(tmp_path: Path) -> Iterator[Callable[..., Hub]]:
    hubs: list[Hub] = []

    def make(**settings: str) -> Hub:
        hubs.append(Hub(tmp_path, **settings))
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.kill()


@pytest.fixture
def guarded(make_hub: Callable[..., Hub]) -> Hub:
    """One that wants tokens."""
    return make_hub(AUTH__SECRET=SECRET)


async def eventually(holds: Callable[[], bool | Awaitable[bool]], what: str) -> None:
    """Waits until something holds; fails saying `what` when it never does."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        now = holds()
        if now is True or (not isinstance(now, bool) and await now):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"never came true: {what}")


def text(result: Any) -> str:
    """The only text of a result."""
    [block] = result.content
    return str(block.text)
