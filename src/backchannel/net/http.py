"""The few HTTP requests that Backchannel makes: one POST, its answer at once or as it comes, and what can go wrong.

The interface and its values stand here; `aiohttp_http.py` holds the implementation, which is imported when a request is
made, because the HTTP library takes a while to load.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING

from backchannel.errors import LocalProtocolError
from backchannel.net.address import HTTP_SCHEMES, Address, read_address
from backchannel.net.headers import check_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Mapping

    from backchannel.net.proxy import Proxy

__all__ = ["PostOptions", "Response", "post", "stream"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PostOptions:
    """A request, and how to reach the server.

    Raises:
        ConnectError: The address cannot be used (stage `address`).
        UsageError: A header cannot be sent; the text has its name, never its value.
        LocalProtocolError: The options do not fit together.
    """

    url: str = dataclasses.field(repr=False)
    """`http://` or `https://`. Path and query are sent as they are written; credentials become an `Authorization`
    header when `headers` has none."""
    body: bytes = dataclasses.field(repr=False)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """They are never shown."""
    tls: ssl.SSLContext | None = dataclasses.field(default=None, repr=False)
    """For `https`, where it must be given: `make_tls_context`, or any other."""
    proxy: Proxy | None = None
    """Through which to go (`proxy_for`); None for directly."""
    timeout_s: float = 30.0
    """For everything, all tries together; of a stream, until the request is on its way."""
    retry_delays_s: tuple[float, ...] = ()
    """The waits before each further try, after a failed connection, 429 or 5xx (`backoff_s` makes the usual ones)."""
    max_response_bytes: int = 1024 * 1024
    """A longer answer is an error."""
    address: Address = dataclasses.field(init=False, repr=False)
    """`url`, taken apart."""

    def __post_init__(self) -> None:
        address = read_address(self.url, schemes=HTTP_SCHEMES)
        object.__setattr__(self, "address", address)  # frozen, and not an argument
        if address.encrypted and self.tls is None:
            raise LocalProtocolError(f"no TLS context was given for {address.target}, which is https")
        if self.timeout_s <= 0 or self.max_response_bytes <= 0 or any(delay < 0 for delay in self.retry_delays_s):
            raise LocalProtocolError(
                "timeout_s and max_response_bytes are greater than 0, no retry_delays_s is negative"
            )
        check_headers(self.headers)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A server's answer with a status from 200 to 299, whole."""

    status: int
    headers: Mapping[str, str] = dataclasses.field(repr=False)
    """Names in lower case; of a repeated header the last one."""
    body: bytes = dataclasses.field(repr=False)


async def post(options: PostOptions) -> Response:
    """Send a POST request.

    Redirects are not followed: the headers and the body were meant for the address that was given.

    Raises:
        ConnectError: No answer with a status from 200 to 299 came; says the stage (`request` once the connection
            stood), the status where there was one, the server's own short words, and the remedy.
        AuthError: The server answered 401 or 403.
        MissingComponentError: The proxy needs an optional package.
    """
    from backchannel.net.aiohttp_http import send_post

    return await send_post(options)


async def stream(options: PostOptions, *, idle_timeout_s: float) -> AsyncGenerator[bytes]:
    """Send a POST request and take the answer as it comes.

    The first piece is empty and says that the server has taken the request: its status was one from 200 to 299. Closing
    the generator, or cancelling who waits for it, drops the connection at once. Tries (`retry_delays_s`) and the bound
    on the length are the caller's.

    Args:
        options: The request.
        idle_timeout_s: How long the server may be silent, before its answer and within.

    Raises:
        ConnectError: The server did not take the request; as of `post`.
        AuthError: It answered 401 or 403.
        ConnectionLost: The answer broke off.
        MissingComponentError: The proxy needs an optional package.
    """
    from backchannel.net.aiohttp_http import stream_post

    async with contextlib.aclosing(stream_post(options, idle_timeout_s=idle_timeout_s)) as pieces:
        async for piece in pieces:
            yield piece
