"""Opening the way to a realtime server: address, headers, trust and proxy put together."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import TYPE_CHECKING, Final

from backchannel.errors import ConnectError, ConnectionLost, TrustError
from backchannel.net import BinaryFrame, Closed, ConnectOptions, TextFrame, connect, make_tls_context, proxy_for
from backchannel.wire.realtime import Endpoint, Path, events, intents, websocket_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from backchannel.net import WebSocket
    from backchannel.wire.realtime import Dialect, SessionSettings

__all__ = ["Target", "await_session", "connect_options", "dial", "request_headers", "tls_for", "without_key"]

_log = logging.getLogger(__name__)

_SESSION_S: Final = 10.0
"""How long a server may take to confirm a session."""
_PUBLIC: Final = Endpoint(path=Path.REALTIME)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The realtime server to talk to."""

    base_url: str = dataclasses.field(repr=False)
    """ws, wss, http or https; the path of the protocol is added where it is missing."""
    call_base_url: str | None = dataclasses.field(default=None, repr=False)
    """Where WebRTC calls are created; None for `base_url`."""
    sideband_base_url: str | None = dataclasses.field(default=None, repr=False)
    """Where the session of a call is joined; None for where the call was created."""
    model: str | None = None
    """Where the session's settings name none."""
    api_key: str | None = dataclasses.field(default=None, repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """What this server wants besides; those of the protocol win."""
    params: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    """Further parameters of a new websocket session's query."""
    n_retries: int = 4
    """How often it is tried again to create a call or to join one."""
    env: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Where proxies and trusted certificates are configured."""


def request_headers(
    target: Target, endpoint: Endpoint, *, session_id: str | None, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The headers of every request: the target's own, over them the protocol's; no name twice in other spelling.

    Source: realtime.md 1.3.
    """
    ours = {**endpoint.headers, **(more or {})}
    if session_id is not None:
        ours["x-session-id"] = session_id
    if target.api_key is not None:
        ours["Authorization"] = f"Bearer {target.api_key}"
    names = {name.lower() for name in ours}
    return {**{name: value for name, value in target.headers.items() if name.lower() not in names}, **ours}


def without_key(target: Target, text: str) -> str:
    """A server's words to a person, without the key if it quotes that."""
    return text.replace(target.api_key, "[left out]") if target.api_key else text


async def tls_for(target: Target, url: str, *, purpose: str) -> ssl.SSLContext | None:
    """Whom to trust at an address; None where nothing is encrypted.

    Args:
        target: Whose environment decides.
        url: The address.
        purpose: What is going to be connected, for the log.

    Raises:
        TrustError: The certificate bundle cannot be used.
    """
    if not url.lower().startswith(("wss:", "https:")):
        return None
    try:
        # Reading the system's certificates takes some 30 ms of disk and parsing.
        return await asyncio.to_thread(make_tls_context, target.env)
    except TrustError as exc:
        _log.error("! no client for the %s can be built: %s", purpose, exc)
        raise


async def connect_options(
    target: Target, url: str, *, endpoint: Endpoint, session_id: str | None, purpose: str
) -> ConnectOptions:
    """How a websocket of this target is opened.

    Raises:
        UsageError: A header, the proxy or the certificate bundle cannot be used.
        ConnectError: The address cannot be used.
    """
    return ConnectOptions(
        url=url,
        headers=request_headers(target, endpoint, session_id=session_id),
        tls=await tls_for(target, url, purpose=purpose),
        proxy=proxy_for(url, target.env),
    )


async def dial(
    target: Target, *, endpoint: Endpoint = _PUBLIC, model: str | None = None, session_id: str | None = None
) -> WebSocket:
    """Open a websocket for a new session.

    Args:
        target: The server.
        endpoint: Of the dialect.
        model: None for the target's.
        session_id: Goes into a header.

    Raises:
        UsageError: The address, the key, the session's id or the certificate bundle cannot be used.
        ConnectError: The server could not be reached or refused; says stage and remedy.
    """
    url = websocket_url(target.base_url, endpoint=endpoint, model=model or target.model, params=target.params)
    purpose = "realtime websocket"
    return await connect(await connect_options(target, url, endpoint=endpoint, session_id=session_id, purpose=purpose))


async def await_session(
    socket: WebSocket, target: Target, dialect: Dialect, session: SessionSettings, *, within_s: float = _SESSION_S
) -> str:
    """Give a new session its settings and wait until the server has confirmed them.

    The websocket stays the caller's, also when this fails.

    Returns:
        The message that confirmed them, which has not been handled by anybody yet.

    Raises:
        ConnectError: It was not confirmed (stage `session`); says what came instead.

    Source: realtime.md 1.4.
    """
    try:
        async with asyncio.timeout(within_s):
            for message in dialect.encode(intents.UpdateSession(settings=session)):
                await socket.send(message)
            return await _confirmation(socket, target, dialect)
    except TimeoutError:
        raise _unconfirmed(socket, f"the server did not confirm the session within {within_s:g} s") from None
    except ConnectionLost as exc:
        raise _unconfirmed(socket, "the connection was lost before the server had confirmed the session") from exc


async def _confirmation(socket: WebSocket, target: Target, dialect: Dialect) -> str:
    while True:
        match await socket.receive():
            case TextFrame(text=text):
                match dialect.decode(text):
                    case events.Skipped(kind=kind):
                        _log.debug("< %s ignored before the session", kind)
                    case events.SessionUpdated():
                        return text
                    case events.ServerError(message=said):
                        raise _unconfirmed(socket, f"the server refused the session: {without_key(target, said)}")
                    case event:
                        came = type(event).__name__
                        raise _unconfirmed(socket, f"expected the server to confirm the session first, got {came}")
            case BinaryFrame():
                raise _unconfirmed(socket, "expected the server to confirm the session first, got a binary message")
            case Closed(code=code, reason=why):
                how = "without a close frame" if code is None else f"with code {code}"
                raise _unconfirmed(
                    socket, f"the server ended the session {how} before confirming it{_because(target, why)}"
                )


def _because(target: Target, why: str) -> str:
    return f": {without_key(target, why)}" if why else ""


def _unconfirmed(socket: WebSocket, reason: str) -> ConnectError:
    return ConnectError(
        stage="session",
        target=socket.target,
        reason=reason,
        remedy="check the realtime version, the model and the voice, or try again later",
    )
