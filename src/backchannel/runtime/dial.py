"""Opening the way to a realtime server: address, headers, trust and proxy put together."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import TYPE_CHECKING

from backchannel.net import ConnectOptions, connect, make_tls_context, proxy_for
from backchannel.wire.realtime import websocket_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backchannel.net import WebSocket

__all__ = ["Target", "dial"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The realtime server to talk to."""

    base_url: str
    """ws, wss, http or https; the path of the protocol is added where it is missing."""
    model: str | None = None
    api_key: str | None = dataclasses.field(default=None, repr=False)
    env: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    """Where proxies and trusted certificates are configured."""


async def dial(target: Target) -> WebSocket:
    """Open a websocket to the server.

    Raises:
        UsageError: The address, the key or the certificate bundle cannot be used.
        ConnectError: The server could not be reached or refused; says stage and remedy.
    """
    url = websocket_url(target.base_url, model=target.model)
    headers = {} if target.api_key is None else {"Authorization": f"Bearer {target.api_key}"}
    tls = None
    if url.startswith("wss:"):
        # Reading the system's certificates takes some 30 ms of disk and parsing.
        tls = await asyncio.to_thread(make_tls_context, target.env)
    return await connect(ConnectOptions(url=url, headers=headers, tls=tls, proxy=proxy_for(url, target.env)))
