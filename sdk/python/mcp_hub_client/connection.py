"""A lasting connection to a hub: dials, registers, and dials again when the line drops."""

import asyncio
import inspect
import logging
import random
from collections.abc import Awaitable, Callable, Generator, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from .errors import HandshakeRefused, HubError, Superseded, ToolsRefused
from .frames import SUBPROTOCOL, About, RegisterResult
from .session import ConnectionLost, Session
from .tool import Threads, Tool

PAUSE_BASE = 0.5
"""Seconds within which the first new attempt begins; doubled with each that fails …"""
PAUSE_MAX = 30.0
"""… up to this."""
RETRY_AFTER_MAX = 300.0
"""Seconds of pause a hub may ask for."""
OPENING_TIME_MAX = 10.0
"""Seconds to open a connection."""
FAREWELL_TIME_MAX = 0.5
"""Seconds the hub has to hang up once both sides have said that the connection ends."""
CLOSING_TIME_MAX = 5.0
"""Seconds the tools have to notice that it has ended."""
PING_INTERVAL = 20.0
"""Seconds between pings to the hub."""
PING_TIME_MAX = 20.0
"""Seconds the hub has to answer one before the connection counts as lost."""
TOKEN_TIME_MAX = 30.0
"""Seconds the function has that is asked for a token."""
MESSAGE_BYTES_MAX = 64 * 1024 * 1024
"""The longest message taken from the hub; its own bound for requests is 4 MiB by default."""
REASON_LENGTH_MAX = 500
"""Characters of a refusal that are repeated."""

MESSAGE_TOO_LARGE = 1009
CLOSED_BY_SUCCESSOR = 4409

Token = str | Callable[[], str | Awaitable[str]] | None

log = logging.getLogger("mcp_hub_client")


class Connection:
    """A provider's place at a hub. Open it with `await` or `async with`, once.

    Opening waits until the tools are on offer. A hub that cannot be reached is tried again and
    again; one that refuses raises `HandshakeRefused` or `ToolsRefused`. Once open, the connection
    is made anew whenever it breaks, until it is closed, refused (`HandshakeRefused`) or taken over
    (`Superseded`).
    """

    def __init__(self, url: str, token: Token, about: About, tools: Sequence[Tool]) -> None:
        self._url = endpoint(url)
        self._token = token
        self._about = about
        self._offered = tuple(tools)
        self._run: asyncio.Task[None] | None = None
        self._threads = Threads()
        self._calls: set[asyncio.Task[None]] = set()
        self._session: Session | None = None
        self._is_registered = asyncio.Event()
        self._has_registered = False
        self._pause_max = PAUSE_BASE
        self._changing = asyncio.Lock()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """What is on offer."""
        return self._offered

    async def set_tools(self, tools: Sequence[Tool]) -> RegisterResult:
        """Puts `tools` in the place of all that is on offer, at once; waits for a hub that is away.

        Raises `ToolsRefused`, and then what was on offer stays; or why the connection has ended.
        """
        tools = tuple(tools)
        async with self._changing:
            while True:
                session = await self._registered_session()
                try:
                    result = await session.register(self._about, tools)
                except ConnectionLost:
                    # Who serves it may not have noticed yet: wait for the next one.
                    self._lost(session)
                    continue
                self._offered = tools
                return result

    async def wait_closed(self) -> None:
        """Waits until the connection is closed. Raises the `HubError` that ended it otherwise."""
        if self._run is not None:
            await asyncio.wait({self._run})
            if not self._run.cancelled():
                self._run.result()

    async def close(self) -> None:
        """Withdraws the tools, cancels what runs, and ends the connection."""
        if self._run is not None:
            self._run.cancel()
            await asyncio.wait({self._run, *self._calls}, timeout=CLOSING_TIME_MAX)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def __aenter__(self) -> "Connection":
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, "Connection"]:
        return self._open().__await__()

    async def _open(self) -> "Connection":
        if self._run is not None:
            raise RuntimeError("a connection can be opened once")
        self._run = asyncio.create_task(self._stay_connected())
        self._run.add_done_callback(self._ended)
        try:
            await self._registered_session()
        except BaseException:
            await self.close()
            raise
        return self

    def _ended(self, run: "asyncio.Task[None]") -> None:
        # Whoever opens the connection is told by the exception; later there may be nobody to tell.
        if not run.cancelled() and self._has_registered:
            log.error("the connection to the hub has ended for good: %s", run.exception())

    async def _registered_session(self) -> Session:
        """The session that is registered, or the next one. Raises why there will be none."""
        run = self._run
        if run is None:
            raise RuntimeError("the connection has not been opened")
        while self._session is None and not run.done():
            registered = asyncio.create_task(self._is_registered.wait())
            await asyncio.wait({run, registered}, return_when=asyncio.FIRST_COMPLETED)
            registered.cancel()
        if self._session is None:
            if run.cancelled():
                raise HubError("the connection is closed")
            run.result()
        assert self._session is not None
        return self._session

    async def _stay_connected(self) -> None:
        """Connects again and again, until it is cancelled or told not to."""
        while True:
            pause_min = 0.0
            try:
                await self._connect_once()
            except InvalidStatus as refusal:
                pause_min = self._pause_asked_for(refusal)
                log.warning("the hub is not ready: %s", refusal)
            except ToolsRefused as refusal:
                if not self._has_registered:
                    raise
                log.error("the tools are refused now: %s", refusal)
            except (OSError, asyncio.TimeoutError, WebSocketException, ConnectionLost) as error:
                log.warning("the hub cannot be reached: %s", error or type(error).__name__)
            # Full jitter: a hub that comes back is not met by everybody at once.
            pause = random.uniform(0, self._pause_max)
            self._pause_max = min(PAUSE_MAX, 2 * self._pause_max)
            await asyncio.sleep(max(pause_min, pause))

    async def _connect_once(self) -> None:
        """Connects, registers and serves until the connection ends."""
        token = await self._current_token()
        opening = _Opening(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            # The hub does not speak it, and it would cost memory for each connection.
            compression=None,
            max_size=MESSAGE_BYTES_MAX,
            open_timeout=OPENING_TIME_MAX,
            close_timeout=FAREWELL_TIME_MAX,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIME_MAX,
            create_connection=_Socket,
        )
        async with opening as socket:
            session = Session(socket, self._threads, self._calls)
            serving = asyncio.create_task(session.serve())
            try:
                result = await session.register(self._about, self._offered)
                log.info("offering %s tools to the hub", len(result["tools"]))
                for warning in result.get("warnings", []):
                    log.warning("%s", warning)
                self._session = session
                self._is_registered.set()
                self._has_registered = True
                self._pause_max = PAUSE_BASE
                await serving
            except ConnectionLost:
                # If the hub cut the registration off, it said why.
                if socket.close_code is None:
                    raise
                if socket.close_code == MESSAGE_TOO_LARGE:
                    raise ToolsRefused(f"the tools: {socket.close_reason}", []) from None
            finally:
                self._lost(session)
                serving.cancel()
        if socket.close_code == CLOSED_BY_SUCCESSOR:
            raise Superseded(socket.close_reason)
        log.warning("the connection ended: %s %s", socket.close_code, socket.close_reason)

    def _lost(self, session: Session) -> None:
        if self._session is session:
            self._session = None
            self._is_registered.clear()

    async def _current_token(self) -> str | None:
        token: Any = self._token
        try:
            if inspect.iscoroutinefunction(token):
                token = token()
            elif callable(token):
                token = await asyncio.wait_for(asyncio.to_thread(token), TOKEN_TIME_MAX)
            if inspect.isawaitable(token):
                token = await asyncio.wait_for(token, TOKEN_TIME_MAX)
        except Exception as error:
            if not self._has_registered:
                raise
            raise ConnectionLost(f"there is no token: {error}") from error
        # Tokens read from files end with a line feed, which would end the header.
        return token.strip() if token else None

    def _pause_asked_for(self, refusal: InvalidStatus) -> float:
        """Seconds to wait at least before the next attempt. Raises when there is to be none."""
        status, headers = refusal.response.status_code, refusal.response.headers
        is_passing = status in (408, 425, 429) or status >= 500
        if status in (401, 403) or not (is_passing or self._has_registered):
            reason = bytes(refusal.response.body or b"").decode(errors="replace").strip()
            reason = reason or headers.get("WWW-Authenticate", "no reason given")
            raise HandshakeRefused(status, reason[:REASON_LENGTH_MAX]) from refusal
        after = headers.get("Retry-After", "")
        return min(float(after), RETRY_AFTER_MAX) if after.isdecimal() else 0.0


class _Opening(connect):
    def process_redirect(self, exc: Exception) -> Exception:
        # A hub redirects nobody, and the token is for no one else.
        return exc


class _Socket(ClientConnection):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The library waits for the hub to hang up, without a bound, before it says a word.
        if self.protocol.close_expected():
            self.loop.call_later(FAREWELL_TIME_MAX, self.transport.abort)


def endpoint(url: str) -> str:
    """Where providers connect, of the hub at `url`: its root, its `/mcp`, or the place itself."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname:
        raise ValueError(f"the URL of a hub begins with http:// or https://, unlike {url!r}")
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("the URL of a hub has no query and no password: a token goes in token=")
    path = parts.path.rstrip("/").removesuffix("/clients/ws").removesuffix("/mcp")
    return urlunsplit((scheme, parts.netloc, f"{path}/clients/ws", "", ""))
