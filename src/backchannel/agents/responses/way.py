"""The ways to a model: HTTP, and a websocket with HTTP behind it.

Theory of operation. A request goes out, and what comes is a stream of events that ends with `Completed` or `Cut`, or
with `ModelFailed`. Closing the stream drops its connection at once: that is how a request is aborted. Whether and when
something is tried again is decided in `loop.py`.

Over a websocket one connection serves one request after the other. The server remembers, for as long as the connection
stands, what the last response was told and answered; when the next request only adds to that, only what is new is sent.
A connection whose response did not end is never used again.

A server that answers the handshake with 426 speaks no websocket; then it is HTTP, at once and silently, for good.

Ownership: whoever made a way closes it.

Source: app-server.md 5.2.
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import logging
import urllib.parse
from typing import TYPE_CHECKING, Final

from backchannel.agents.responses.events import Completed, Cut, ItemDone, read_event
from backchannel.agents.responses.failures import Cause, Failure, ModelFailed
from backchannel.agents.responses.metadata import HEADER
from backchannel.agents.responses.requests import encode_request
from backchannel.agents.responses.sse import EventStream, TooLong
from backchannel.errors import BackchannelError, ConnectError, ConnectionLost
from backchannel.net import (
    Closed,
    ConnectOptions,
    PostOptions,
    TextFrame,
    connect,
    proxy_for,
    stream,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    from backchannel.agents.responses.events import StreamEvent
    from backchannel.agents.responses.items import Item
    from backchannel.agents.responses.requests import ModelRequest
    from backchannel.config import Provider
    from backchannel.net import WebSocket

__all__ = ["OverHttp", "OverWebsocket", "Server", "Way"]

_CONNECT_S: Final = 15.0
_NO_WEBSOCKETS: Final = 426
_SPEAKS: Final = {"OpenAI-Beta": "responses_websockets=2026-02-06"}

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the model is, and what is needed to get there."""

    provider: Provider
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    """The provider's own, and the key."""
    env: Mapping[str, str] = dataclasses.field(repr=False)
    """Where proxies are configured."""
    tls: ssl.SSLContext | None = dataclasses.field(default=None, repr=False)

    def url(self, *, over_websocket: bool = False) -> str:
        """Where requests go."""
        base = urllib.parse.urlsplit(self.provider.base_url)
        scheme = {"ws": "http", "wss": "https"}.get(base.scheme, base.scheme)
        if over_websocket:
            scheme = {"http": "ws", "https": "wss"}.get(scheme, scheme)
        more = urllib.parse.urlencode(self.provider.query_params)
        query = "&".join(part for part in (base.query, more) if part)
        return urllib.parse.urlunsplit((scheme, base.netloc, base.path.rstrip("/") + "/responses", query, ""))

    def request_headers(self, more: Mapping[str, str]) -> dict[str, str]:
        """All headers of a request; no name twice in other spelling."""
        names = {name.lower() for name in more}
        return {**{name: value for name, value in self.headers.items() if name.lower() not in names}, **more}


class Way(abc.ABC):
    """How requests get to a model, one at a time."""

    @abc.abstractmethod
    def ask(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Send a request and take what comes.

        Raises:
            ModelFailed: It came to nothing, or broke off.
        """

    @abc.abstractmethod
    async def prepare(self, request: ModelRequest) -> None:
        """Make ready for a request that is soon to come; what goes wrong shows then."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Release what is open. Idempotent."""


class OverHttp(Way):
    """Each request by itself, answered by server-sent events."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def ask(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Send a request; see `Way.ask`."""
        try:
            async with contextlib.aclosing(self._pieces(request)) as pieces:
                events = EventStream()
                async for piece in pieces:
                    for data in events.feed(piece):
                        event = read_event(data)
                        if isinstance(event, Failure):
                            raise ModelFailed(event)
                        if event is not None:
                            yield event
                            if isinstance(event, Completed | Cut):
                                return
        except ConnectionLost as exc:
            raise ModelFailed(Failure(Cause.PASSING, str(exc))) from exc
        except TooLong as exc:
            raise ModelFailed(Failure(Cause.SETTLED, str(exc))) from exc
        except BackchannelError as exc:
            raise _not_taken(exc, self._server, over_websocket=False) from exc
        raise ModelFailed(Failure(Cause.PASSING, "the model's answer ended before it was complete"))

    def _pieces(self, request: ModelRequest) -> AsyncGenerator[bytes]:
        server = self._server
        url = server.url()
        more = {**request.headers, HEADER: request.metadata, "Accept": "text/event-stream"}
        options = PostOptions(
            url=url,
            body=encode_request(request),
            headers=server.request_headers({**more, "Content-Type": "application/json"}),
            tls=server.tls,
            proxy=proxy_for(url, server.env),
            timeout_s=_CONNECT_S,
        )
        return stream(options, idle_timeout_s=server.provider.stream_idle_timeout_ms / 1000)

    async def prepare(self, request: ModelRequest) -> None:
        """There is nothing to make ready."""

    async def close(self) -> None:
        """Nothing is kept open between requests."""


class OverWebsocket(Way):
    """One connection for many requests; HTTP where the server wants that, or when it is told to."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._http: OverHttp | None = None
        self._socket: WebSocket | None = None
        self._known: _Known | None = None

    def give_up(self) -> None:
        """Use HTTP from here on."""
        if self._http is None:
            self._http = OverHttp(self._server)

    async def prepare(self, request: ModelRequest) -> None:
        """Connect, and let the server read what every request begins with; not where that was done, or given up."""
        if self._http is not None or self._socket is not None:
            return
        try:
            async with contextlib.aclosing(self._exchange(request, generate=False)) as events:
                async for _ in events:
                    pass
        except _NoWebsockets:
            self.give_up()
        except ModelFailed as exc:
            _log.info("! the model could not be prepared: %s", exc.failure.reason)

    async def ask(self, request: ModelRequest) -> AsyncGenerator[StreamEvent]:
        """Send a request; see `Way.ask`."""
        if self._http is None:
            try:
                async with contextlib.aclosing(self._exchange(request)) as events:
                    async for event in events:
                        yield event
            except _NoWebsockets:
                self.give_up()
            else:
                return
        await self._drop()
        http = self._http or OverHttp(self._server)
        async with contextlib.aclosing(http.ask(request)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Say goodbye and release the socket."""
        socket, self._socket, self._known = self._socket, None, None
        if socket is not None:
            await socket.close()

    async def _drop(self) -> None:
        if self._socket is not None:
            self._socket.abort()
        await self.close()

    async def _exchange(self, request: ModelRequest, *, generate: bool = True) -> AsyncGenerator[StreamEvent]:
        if self._socket is not None:
            came = False
            try:
                async with contextlib.aclosing(self._send(request, generate=generate)) as events:
                    async for event in events:
                        came = True
                        yield event
            except ModelFailed as exc:
                if came or exc.failure.answering:
                    raise
            else:
                return
            # The connection was lost while nothing was asked; that is nobody's failure.
        async with contextlib.aclosing(self._send(request, generate=generate)) as events:
            async for event in events:
                yield event

    async def _send(self, request: ModelRequest, *, generate: bool) -> AsyncGenerator[StreamEvent]:
        whole = False
        try:
            socket = self._socket or await self._connect(request)
            known, self._known = self._known, None
            news = None if known is None else known.news_in(request)
            message = encode_request(
                request,
                items=news,
                previous_response_id=None if known is None or news is None else known.response_id,
                over_websocket=True,
                generate=generate,
            )
            await socket.send(message)
            answered: list[Item] = []
            async with contextlib.aclosing(self._events(socket)) as events:
                async for event in events:
                    if isinstance(event, ItemDone):
                        answered.append(event.item)
                    elif isinstance(event, Completed):
                        whole = True
                        if event.response_id is not None:
                            self._known = _Known(request, tuple(answered), event.response_id)
                    yield event
        except ConnectionLost as exc:
            raise _failed(Cause.PASSING, str(exc), answering=False) from exc
        finally:
            if not whole:
                await self._drop()

    async def _connect(self, request: ModelRequest) -> WebSocket:
        server = self._server
        url = server.url(over_websocket=True)
        try:
            options = ConnectOptions(
                url=url,
                headers=server.request_headers({**request.headers, HEADER: request.metadata, **_SPEAKS}),
                tls=server.tls,
                proxy=proxy_for(url, server.env),
                connect_timeout_s=server.provider.websocket_connect_timeout_ms / 1000,
            )
            self._socket = await connect(options)
        except ConnectError as exc:
            if exc.status == _NO_WEBSOCKETS:
                raise _NoWebsockets from None
            raise _not_taken(exc, server, over_websocket=True) from exc
        except BackchannelError as exc:
            raise _not_taken(exc, server, over_websocket=True) from exc
        return self._socket

    async def _events(self, socket: WebSocket) -> AsyncGenerator[StreamEvent]:
        idle_s = self._server.provider.stream_idle_timeout_ms / 1000
        while True:
            try:
                async with asyncio.timeout(idle_s):
                    frame = await socket.receive()
            except TimeoutError:
                raise _failed(Cause.PASSING, f"nothing came from {socket.target} for {idle_s:g} s") from None
            match frame:
                case TextFrame(text=text):
                    event = read_event(text)
                    if isinstance(event, Failure):
                        raise ModelFailed(dataclasses.replace(event, over_websocket=True))
                    if event is not None:
                        yield event
                        if isinstance(event, Completed | Cut):
                            return
                case Closed():
                    reason = "the websocket closed before the model's answer was complete"
                    raise _failed(Cause.PASSING, reason, answering=False)
                case _:
                    raise _failed(Cause.PASSING, "the model's server sent a binary message")


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What the server knows on a connection: a request and what came of it."""

    request: ModelRequest
    answered: tuple[Item, ...]
    response_id: str

    def news_in(self, request: ModelRequest) -> tuple[Item, ...] | None:
        """What a request adds; None when it does not only add."""
        known = (*self.request.items, *self.answered)
        if not request.stays_the_same_as(self.request) or request.items[: len(known)] != known:
            return None
        return request.items[len(known) :]


class _NoWebsockets(Exception):
    """The server wants HTTP."""


def _failed(cause: Cause, reason: str, *, answering: bool = True) -> ModelFailed:
    return ModelFailed(Failure(cause, reason, over_websocket=True, answering=answering))


def _not_taken(exc: BackchannelError, server: Server, *, over_websocket: bool) -> ModelFailed:
    """Why a request was not taken, and whether it may be at the next try."""
    cause, reason, remedy = Cause.SETTLED, str(exc), ""
    if isinstance(exc, ConnectError):
        provider = server.provider
        if exc.status is not None:
            cause = Cause.PASSING if exc.status >= 500 else Cause.SETTLED
            reason = exc.reason.replace("the server", "the model's server", 1)
            remedy = exc.remedy
            if exc.status == 401 and provider.env_key is not None:
                remedy = f"check the key in {provider.env_key}, it is missing, wrong or expired"
            elif exc.status in {400, 404}:
                remedy = f"check the model's name, and base_url of the provider {provider.id}"
        else:
            cause = Cause.SETTLED if exc.stage == "tls" else Cause.PASSING
            reason = f"the model's server {exc.target} cannot be reached: {exc.reason}"
            remedy = exc.remedy
            if exc.stage in {"address", "connect", "handshake", "request"}:
                remedy = f"check that it is running, and base_url of the provider {provider.id}"
    status = exc.status if isinstance(exc, ConnectError) else None
    return ModelFailed(
        Failure(cause, reason, remedy, over_websocket=over_websocket, answering=False, http_status=status)
    )
