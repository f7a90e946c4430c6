"""A websocket to a server: what the rest of Backchannel sees of it.

The interface and its values stand here; `aiohttp_websocket.py` holds the one implementation, which is imported when a
connection is made, because the HTTP library takes a while to load.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from backchannel.errors import LocalProtocolError
from backchannel.net.address import WEBSOCKET_SCHEMES, Address, read_address
from backchannel.net.headers import check_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    from backchannel.net.proxy import Proxy

__all__ = ["BinaryFrame", "Closed", "ConnectOptions", "Frame", "TextFrame", "WebSocket", "connect"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """How to reach a server.

    Raises:
        ConnectError: The address cannot be used (stage `address`).
        UsageError: A header cannot be sent; the text has its name, never its value.
        LocalProtocolError: The options do not fit together.
    """

    url: str = dataclasses.field(repr=False)
    """`ws://` or `wss://`. Path and query are sent as they are written; credentials become an `Authorization` header
    when `headers` has none."""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Sent with the handshake; they are never shown."""
    tls: ssl.SSLContext | None = dataclasses.field(default=None, repr=False)
    """For `wss`, where it must be given: `make_tls_context`, or any other."""
    proxy: Proxy | None = None
    """Through which to go (`proxy_for`); None for directly."""
    connect_timeout_s: float = 10.0
    """For everything until the handshake is done."""
    max_message_bytes: int = 16 * 1024 * 1024
    """A longer message ends the connection with code 1009. (websockets allows 1 MiB, aiohttp 4, tungstenite 64.)"""
    heartbeat_s: float | None = 30.0
    """When nothing has come for so long, the peer is pinged; if it does not answer within half of that, the connection
    counts as lost. None: never. (websockets pings every 20 s, and waits 20 s.)"""
    address: Address = dataclasses.field(init=False, repr=False)
    """`url`, taken apart."""

    def __post_init__(self) -> None:
        address = read_address(self.url, schemes=WEBSOCKET_SCHEMES)
        object.__setattr__(self, "address", address)  # frozen, and not an argument
        if address.encrypted and self.tls is None:
            raise LocalProtocolError(f"no TLS context was given for {address.target}, which is wss")
        limits = (self.connect_timeout_s, self.max_message_bytes, self.heartbeat_s)
        if any(limit is not None and limit <= 0 for limit in limits):
            raise LocalProtocolError("connect_timeout_s, max_message_bytes and heartbeat_s are greater than 0")
        check_headers(self.headers)

    @property
    def target(self) -> str:
        """The address for messages: no credentials, no query."""
        return self.address.target


@dataclasses.dataclass(frozen=True, slots=True)
class TextFrame:
    """A whole text message."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class BinaryFrame:
    """A whole binary message."""

    data: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The connection is over; nothing more comes."""

    code: int | None
    """From the close frame that ended it, the peer's or ours; None when the peer's held none, or the connection was
    lost without one."""
    reason: str
    """What the close frame said, at most 123 bytes of the peer's own words; or ours, when the connection was lost."""
    clean: bool
    """Whether both sides said goodbye. False: the connection was lost, broke a rule, or the peer never answered."""


Frame: TypeAlias = TextFrame | BinaryFrame | Closed
"""Everything that can be received."""


class WebSocket(abc.ABC):
    """An open websocket.

    Ownership: whoever called `connect` calls `close`, also after the connection was lost.

    Ordering: messages arrive whole, in order; what was sent is written in the order of the calls to `send`.

    The inbound queue holds half a MiB of messages (each counted 128 bytes more than its length) and then one whole
    message; when it is full the socket is not read until there is room again, so that the peer waits. Nothing is ever
    dropped. Receiving and sending do not wait for each other. Pings are answered when they reach the head of the
    queue, so an owner keeps one task receiving. A peer that falls silent is pinged (`heartbeat_s`); since a peer whose
    messages nobody takes cannot be heard either, an owner that does not receive for longer loses the connection.
    """

    @property
    @abc.abstractmethod
    def target(self) -> str:
        """The address for messages: no credentials, no query."""

    @abc.abstractmethod
    async def send(self, text: str | bytes) -> None:
        """Send one text message.

        Args:
            text: The text, or the same as UTF-8 bytes, which saves the encoding.

        It returns when the message is with the system; it waits while the peer does not read and a quarter of a MiB
        is waiting to be written. A cancelled call has sent the message whole or not at all.

        Raises:
            ConnectionLost: The connection is closed or was lost.
            LocalProtocolError: The text holds half a surrogate pair.
        """

    @abc.abstractmethod
    async def receive(self) -> Frame:
        """Wait for the next message, or for the end: then `Closed`, now and on every further call.

        A cancelled call has lost nothing. Several tasks may call it; each message goes to one of them.
        """

    @abc.abstractmethod
    async def close(self, *, code: int = 1000, reason: str = "") -> None:
        """Say goodbye with a close frame, wait for the answer, and release the socket; at most 2 s in all.

        What still arrives is discarded; a task that waits in `receive` gets `Closed`. Idempotent: a second call waits
        for the first one. Being cancelled, it drops the connection at once.

        Args:
            code: 1000, or 3000 to 4999 for codes of an application (or another that an endpoint may send).
            reason: At most 123 bytes of UTF-8 are sent.
        """

    @abc.abstractmethod
    def abort(self) -> None:
        """Drop the connection at once, without a goodbye: whoever receives gets `Closed`. Release it by `close`."""

    async def __aiter__(self) -> AsyncIterator[Frame]:
        """Receive until the end; the last value is `Closed`."""
        while True:
            frame = await self.receive()
            yield frame
            if isinstance(frame, Closed):
                return


async def connect(options: ConnectOptions) -> WebSocket:
    """Open a websocket.

    Redirects are not followed: the headers were meant for the address that was given.

    Raises:
        ConnectError: It could not be opened; says the stage, the reason and the remedy.
        AuthError: The server answered 401 or 403.
        MissingComponentError: The proxy needs an optional package.
    """
    from backchannel.net.aiohttp_websocket import open_websocket

    return await open_websocket(options)
