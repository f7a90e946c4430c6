"""The websocket on aiohttp.

Theory of operation. aiohttp reads the socket by callback into a bounded queue and pauses the transport when it is
full; `receive` takes from that queue. So there is no task of our own, and a reader that is not read cannot delay a
send. Closing is ours rather than aiohttp's, which stops waiting for the peer's goodbye once a `receive` was cancelled
(the usual way a reader ends): the close frame is sent, then whoever holds the receiving turn reads on until the
peer's close frame comes.

    open      --close()-->         closing    --peer's close frame-->  ended, clean
    open      --peer's close frame-->  (ours is sent back)             ended, clean
    open or closing  --lost, or a rule broken-->                       ended, not clean
    closing   --1.5 s without an answer-->                             ended, not clean

Resources: `open_websocket` makes the connector and the session. They are released, and the socket with them, as soon
as the end is seen by `receive`, and in any case by `close`.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from typing import TYPE_CHECKING, assert_never

import aiohttp
import yarl
from aiohttp import WSMsgType

from backchannel.errors import AuthError, ConnectError, ConnectionLost, LocalProtocolError
from backchannel.net.connector import StagedConnector
from backchannel.net.headers import completed_headers, status_words
from backchannel.net.websocket import BinaryFrame, Closed, ConnectOptions, Frame, TextFrame, WebSocket

if TYPE_CHECKING:
    from types import SimpleNamespace

    from backchannel.net.address import Address

__all__ = ["open_websocket"]

_GOODBYE_S = 1.5
"""How long the peer may take to answer a close frame."""
_RELEASE_S = 0.5
"""How long the socket may take to close after that."""
_MAX_REASON_BYTES = 123
"""A control frame carries 125 bytes, two of them the code (RFC 6455, 5.5)."""

_LOST = Closed(code=None, reason="the connection was lost", clean=False)

_log = logging.getLogger(__name__)


async def open_websocket(options: ConnectOptions) -> WebSocket:
    """Open a websocket; see `backchannel.net.connect`."""
    address = options.address
    connector = StagedConnector(address, tls=options.tls if address.encrypted else None, proxy=options.proxy)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
        skip_auto_headers=("Accept", "Accept-Encoding"),
        trace_configs=[_redirects_refused(address)],
        trust_env=False,
    )
    try:
        socket = await _shake_hands(session, connector, options)
    except BaseException:
        try:
            connector.abort()
            await connector.finish(within_s=_RELEASE_S)
        finally:
            # Also when it is cancelled once more.
            await session.close()
        raise
    _log.debug("= connected to %s", address.target)
    return _AiohttpWebSocket(socket, session=session, connector=connector, target=address.target)


async def _shake_hands(
    session: aiohttp.ClientSession, connector: StagedConnector, options: ConnectOptions
) -> aiohttp.ClientWebSocketResponse:
    address = options.address
    try:
        async with asyncio.timeout(options.connect_timeout_s):
            return await session.ws_connect(
                yarl.URL(address.request_url, encoded=True),
                headers=completed_headers(options.headers, address),
                autoclose=False,
                autoping=True,
                compress=0,
                max_msg_size=options.max_message_bytes,
            )
    except TimeoutError as exc:
        raise _timed_out(options, connector) from exc
    except aiohttp.WSServerHandshakeError as exc:
        failure = _refused(address, exc)
    except (aiohttp.ClientError, OSError) as exc:
        detail = "hung up" if isinstance(exc, OSError | aiohttp.ServerDisconnectedError) else "did not answer as HTTP"
        failure = ConnectError(
            stage="handshake",
            target=address.target,
            reason=f"the server {detail} instead of opening a websocket",
            remedy="check that the address and the port are those of a realtime server, "
            "and whether it wants wss:// rather than ws://",
        )
    # Out here, since the library's exceptions hold the request's headers: none is chained, nor the context of ours.
    raise failure


def _redirects_refused(address: Address) -> aiohttp.TraceConfig:
    """Stops aiohttp from carrying our headers to wherever a redirect points."""

    async def refuse(
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        redirect: aiohttp.TraceRequestRedirectParams,
    ) -> None:
        where = redirect.response.headers.get("Location", "").partition("?")[0].rpartition("@")[2]
        raise ConnectError(
            stage="handshake",
            target=address.target,
            reason=f"the server answered {status_words(redirect.response.status)}: it points elsewhere",
            remedy=f"if that is to be trusted, use the address that it points to ({where[:200] or 'it names none'})",
            status=redirect.response.status,
        )

    config = aiohttp.TraceConfig()
    config.on_request_redirect.append(refuse)
    return config


def _timed_out(options: ConnectOptions, connector: StagedConnector) -> ConnectError:
    match connector.stage:
        case "address":
            what, remedy = "the name was not resolved", "check this machine's network and its name server"
        case "proxy":
            named = "" if options.proxy is None else f" {options.proxy.target} ({options.proxy.variable})"
            what = f"the proxy{named} opened no tunnel"
            remedy = "check that the proxy works, or name the host in NO_PROXY to go past it"
        case "connect":
            what = "nothing answered"
            remedy = (
                "check the address and the port, and that no firewall is in between; "
                "where only a proxy reaches out, name it in HTTPS_PROXY"
            )
        case "tls":
            what, remedy = "TLS was not negotiated", "check that this server speaks TLS on this port"
        case "handshake":
            what = "the server did not answer the websocket handshake"
            remedy = "check that the address and the port are those of a realtime server, or try again later"
        case stage:
            assert_never(stage)
    return ConnectError(
        stage=connector.stage,
        target=options.target,
        reason=f"{what} within {options.connect_timeout_s:g} s",
        remedy=remedy,
    )


def _refused(address: Address, exc: aiohttp.WSServerHandshakeError) -> ConnectError:
    status = exc.status
    kind = ConnectError
    reason = f"the server answered {status_words(status)}"
    match status:
        case 101:
            reason = "the server's answer to the websocket handshake breaks its rules"
            remedy = "check that no proxy or gateway in between changes it"
        case 401:
            kind = AuthError
            remedy = (
                "check the key for this server, it is missing, wrong or expired: "
                "set BACKCHANNEL_API_KEY (OpenAI also takes OPENAI_API_KEY)"
            )
        case 403:
            kind = AuthError
            remedy = "check that the key may use this server: its project, its permissions and the region"
        case 404 | 410:
            remedy = "check the path of the address (a realtime server usually answers at /v1/realtime) and the model"
        case 429:
            remedy = "wait a moment and try again; if it stays, check the account's limits and credit"
        case _ if status >= 500:
            remedy = "the trouble is on its side: try again later"
        case _ if status < 400:
            remedy = "this is a web server but no websocket: check the path of the address"
        case _:
            remedy = "check the address with its query, and that this server speaks the realtime protocol"
    return kind(stage="handshake", target=address.target, reason=reason, remedy=remedy, status=status)


class _AiohttpWebSocket(WebSocket):
    """See the module for how it works."""

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        *,
        session: aiohttp.ClientSession,
        connector: StagedConnector,
        target: str,
    ) -> None:
        self._socket = socket
        self._session = session
        self._connector = connector
        self._target = target
        self._receiving = asyncio.Lock()
        self._closing = asyncio.Lock()
        self._farewell: Closed | None = None
        """What we said, from the moment on when `close` was called."""
        self._ended: Closed | None = None
        self._released = False

    def __repr__(self) -> str:
        return f"<WebSocket {self._target}>"

    @property
    def target(self) -> str:
        return self._target

    async def send(self, text: str | bytes) -> None:
        if self._ended is not None or self._farewell is not None:
            raise ConnectionLost(f"the connection to {self._target} is closed, nothing more can be sent")
        try:
            data = text.encode() if isinstance(text, str) else text
        except UnicodeEncodeError as exc:
            raise LocalProtocolError("a text to be sent holds half a surrogate pair") from exc
        try:
            await self._socket.send_frame(data, WSMsgType.TEXT)
        except (aiohttp.ClientError, OSError) as exc:
            raise ConnectionLost(f"the connection to {self._target} was lost") from exc

    async def receive(self) -> Frame:
        async with self._receiving:
            if self._ended is not None:
                return self._ended
            return await self._take()

    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        if not 1000 <= code <= 4999:
            raise LocalProtocolError(f"a websocket closes with a code from 1000 to 4999, not {code}")
        async with self._closing:
            if self._released:
                return
            if self._farewell is None:
                self._farewell = Closed(code=code, reason=_cut(reason), clean=True)
            try:
                if self._ended is None:
                    await self._say_goodbye(self._farewell)
            finally:
                if self._ended is None:
                    self._ended = Closed(code=code, reason="the peer did not say goodbye", clean=False)
                    self._connector.abort()
                await self._release()

    def abort(self) -> None:
        self._connector.abort()

    async def _say_goodbye(self, farewell: Closed) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._send_close(farewell)
                while self._ended is None:
                    async with self._receiving:
                        if self._ended is None:
                            await self._take()
        except TimeoutError:
            _log.debug("x no answer to the close frame from %s", self._target)
        except (aiohttp.ClientError, OSError):
            self._ended = _LOST

    async def _send_close(self, farewell: Closed) -> None:
        # A peer's close frame without a code is answered by one without a code (1005 is never on the wire).
        payload = b"" if farewell.code is None else struct.pack(">H", farewell.code) + farewell.reason.encode()
        await self._socket.send_frame(payload, WSMsgType.CLOSE)

    async def _take(self) -> Frame:
        """Take the next frame; the caller holds the receiving turn and has seen that there is no end yet."""
        try:
            message = await self._socket.receive()
        except (aiohttp.ClientError, OSError):  # the answer to a ping could not be written
            return await self._end(_LOST)
        if self._ended is not None:  # `close` ran out of time in the meantime
            return self._ended
        match message.type:
            case WSMsgType.TEXT:
                return TextFrame(message.data)
            case WSMsgType.BINARY:
                return BinaryFrame(message.data)
            case WSMsgType.CLOSE:
                return await self._end(await self._answer_close(message.data or None, message.extra or ""))
            case WSMsgType.ERROR:
                return await self._end(_broken_rule(message.data))
            case WSMsgType.CLOSED | WSMsgType.CLOSING:
                return await self._end(_LOST)
            case other:
                raise AssertionError(f"pings and pongs are answered by aiohttp, and there is no {other!r}")

    async def _answer_close(self, code: int | None, reason: str) -> Closed:
        if self._farewell is not None:
            return self._farewell
        closed = Closed(code=code, reason=reason, clean=True)
        try:
            await self._send_close(Closed(code=code, reason="", clean=True))
        except (aiohttp.ClientError, OSError):
            _log.debug("x %s was gone before its close frame was answered", self._target)
        return closed

    async def _end(self, closed: Closed) -> Closed:
        _log.debug("x %s closed, code %s, %s", self._target, closed.code, "clean" if closed.clean else "not clean")
        self._ended = closed
        await self._release()
        return closed

    async def _release(self) -> None:
        if self._released:
            return
        try:
            await self._connector.finish(within_s=_RELEASE_S)
        finally:
            # The socket is gone, so this only releases aiohttp's own objects: it sends nothing and does not wait.
            await self._socket.close()
            await self._session.close()
            self._released = True


def _cut(reason: str) -> str:
    return reason.encode(errors="replace")[:_MAX_REASON_BYTES].decode(errors="ignore")


def _broken_rule(error: object) -> Closed:
    """The end after the peer broke a rule; aiohttp's own words may quote the payload, so they are not used."""
    code = int(error.code) if isinstance(error, aiohttp.WebSocketError) else None
    reasons = {
        1007: "the server sent text that is not UTF-8",
        1009: "the server sent a message larger than is allowed here",
    }
    return Closed(code=code, reason=reasons.get(code or 0, "the server broke the websocket protocol"), clean=False)
