"""Gives aiohttp a connection that we made ourselves.

aiohttp would send a `ws` request through a proxy as a rewritten one, which no proxy upgrades, and its exceptions do
not tell the stages apart. So it gets a connector that opens the socket by our rules (`tunnel.py`), puts our TLS on it,
and knows at any time how far it came. One connector serves one connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.client_proto import ResponseHandler

from backchannel.errors import ConnectError
from backchannel.net.tls import CA_VARIABLES
from backchannel.net.tunnel import Stage, open_socket

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.tracing import Trace

    from backchannel.net.address import Address
    from backchannel.net.proxy import Proxy

__all__ = ["StagedConnector"]

_TLS_FAREWELL_S = 0.5
"""How long the peer may take to answer the end of TLS. (asyncio's default is 30 s.)"""

_NO_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a chain that ends in a certificate nobody here trusts."""
_OTHER_NAME = frozenset({62, 63, 64})
_OUT_OF_DATE = frozenset({9, 10})


class StagedConnector(aiohttp.BaseConnector):
    """Connects to one address.

    Ownership: whoever made it calls `finish`, once the connection is no longer needed or could not be made.
    """

    def __init__(self, address: Address, *, tls: ssl.SSLContext | None, proxy: Proxy | None) -> None:
        super().__init__(force_close=True)
        self._address = address
        self._tls = tls
        self._proxy = proxy
        self._transport: asyncio.Transport | None = None
        self._gone: asyncio.Future[None] | None = None
        self.stage: Stage = "address"
        """The stage that began last."""

    # aiohttp's base class leaves exactly this method to its heirs.
    async def _create_connection(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - the name is aiohttp's
    ) -> ResponseHandler:
        if self._transport is not None:
            # aiohttp repeats a request whose connection ended without an answer; that the server hangs up is a fact
            # that a person should hear of, and a second try is for the caller to decide.
            raise aiohttp.ServerDisconnectedError
        opened = await open_socket(self._address, proxy=self._proxy, entered=self._enter)
        loop = asyncio.get_running_loop()
        protocol = ResponseHandler(loop)
        try:
            # From here on the socket is the event loop's, which closes it also when this fails.
            if self._tls is None:
                transport, _ = await loop.create_connection(lambda: protocol, sock=opened)
            else:
                self._enter("tls")
                transport, _ = await loop.create_connection(
                    lambda: protocol,
                    sock=opened,
                    ssl=self._tls,
                    server_hostname=self._address.host.removesuffix("."),
                    ssl_shutdown_timeout=_TLS_FAREWELL_S,
                )
        except OSError as exc:  # ssl.SSLError is one
            raise _tls_failure(self._address, exc) from exc
        self._transport = transport
        self._gone = protocol.closed
        self._enter("handshake")
        return protocol

    def _enter(self, stage: Stage) -> None:
        self.stage = stage

    def abort(self) -> None:
        """Drop the connection without a farewell."""
        if self._transport is not None:
            self._transport.abort()

    async def finish(self, *, within_s: float) -> None:
        """Close the connection and wait until its socket is gone, by force when the time is over. Idempotent."""
        if self._transport is not None and self._gone is not None:
            self._transport.close()
            try:
                await asyncio.wait([self._gone], timeout=within_s)
            finally:
                self._transport.abort()
            await asyncio.wait([self._gone])
            if not self._gone.cancelled():
                self._gone.exception()  # how it went does not matter any more; asked for, so that nobody warns of it
        await self.close()


def _tls_failure(address: Address, exc: OSError) -> ConnectError:
    remedy = "check that this server speaks TLS here (wss:// and https:// do, ws:// and http:// do not)"
    if isinstance(exc, ssl.SSLCertVerificationError):
        reason = exc.verify_message.rstrip(".") or "the server's certificate cannot be verified"
        if exc.verify_code in _NO_ISSUER:
            reason = f"the server's certificate comes from an authority that is not trusted here ({reason})"
            remedy = (
                f"when a company or a proxy signs it, let {CA_VARIABLES[0]} name a PEM file "
                "with that authority's certificate"
            )
        elif exc.verify_code in _OTHER_NAME:
            remedy = "check the host in the address, the server's certificate is made out to another one"
        elif exc.verify_code in _OUT_OF_DATE:
            remedy = "check this machine's clock; if it is right, the server's certificate must be renewed"
    elif isinstance(exc, ssl.SSLError):
        reason = (exc.reason or "no common ground").lower().replace("_", " ")
    else:
        reason = "the server hung up while TLS was negotiated"
    return ConnectError(stage="tls", target=address.target, reason=reason, remedy=remedy)
