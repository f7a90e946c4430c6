"""One client of the app server: who it is, what it wants to be told, and what it was asked."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from backchannel.wire import appserver, jsonrpc

if TYPE_CHECKING:
    from collections.abc import Callable

    import msgspec

    from backchannel.server.outbox import Outbox

__all__ = ["CannotAnswer", "ClientGone", "Peer"]

_log = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client left before it answered."""


class CannotAnswer(Exception):
    """The client answered with an error, as one does that does not know the question."""


class Peer:
    """A client.

    Args:
        outbox: What it is sent.
        give_up: Ends the connection of a client that does not read.
        now_ms: The time in milliseconds since the epoch.
    """

    def __init__(self, outbox: Outbox, *, give_up: Callable[[], None], now_ms: Callable[[], int]) -> None:
        self.outbox = outbox
        self.threads: set[str] = set()
        """Those of which it is told."""
        self.speaks_in: set[str] = set()
        """Those into whose conversation it has sent sound since it last waited for room there."""
        self._give_up = give_up
        self._now_ms = now_ms
        self._info: appserver.ClientInfo | None = None
        self._capabilities = appserver.InitializeCapabilities()
        self._opted_out: frozenset[str] = frozenset()
        self._n_asked = 0
        self._asked: dict[jsonrpc.RequestId, asyncio.Future[msgspec.Raw]] = {}

    @property
    def info(self) -> appserver.ClientInfo | None:
        """Who it says it is; None before it has."""
        return self._info

    @property
    def may_experiment(self) -> bool:
        """Whether it may use experimental methods."""
        return self._capabilities.experimental_api

    def introduce(self, params: appserver.InitializeParams) -> None:
        """It has said who it is."""
        self._info = params.client_info
        self._capabilities = params.capabilities or appserver.InitializeCapabilities()
        self._opted_out = frozenset(self._capabilities.opt_out_notification_methods or ())

    def wants(self, method: str) -> bool:
        """Whether it is told of this."""
        if self._info is None or method in self._opted_out:
            return False
        return self._capabilities.backchannel or not appserver.NOTIFICATIONS[method].is_ours

    def answer(self, id_: jsonrpc.RequestId, result: msgspec.Struct) -> None:
        """Answer a request."""
        self.send(jsonrpc.encode_result(id_, result))

    def refuse(self, id_: jsonrpc.RequestId, problem: jsonrpc.RpcError) -> None:
        """Refuse a request."""
        self.send(jsonrpc.encode_error(id_, problem))

    def tell(self, method: str, params: msgspec.Struct) -> None:
        """Tell it something, if it wants to know."""
        if self.wants(method):
            self.send(jsonrpc.encode_notification(method, params, emitted_at_ms=self._now_ms()))

    def send(self, message: bytes) -> None:
        """Send an encoded message."""
        if not self.outbox.put(message) and not self.outbox.is_closed:
            _log.warning("! a client does not read what it is sent; its connection is ended")
            # Nothing more is kept for it while that takes its time.
            self.outbox.close()
            self._give_up()

    def ask(self, method: str, params: msgspec.Struct) -> tuple[jsonrpc.RequestId, asyncio.Future[msgspec.Raw]]:
        """Ask it something; the future fails with `ClientGone` or `CannotAnswer` when no answer will come."""
        self._n_asked += 1
        id_ = self._n_asked - 1
        future: asyncio.Future[msgspec.Raw] = asyncio.get_running_loop().create_future()
        self._asked[id_] = future
        if not self.may_experiment:
            params = appserver.without_experimental_fields(method, params)
        self.send(jsonrpc.encode_request(id_, method, params))
        return id_, future

    def answered(self, message: jsonrpc.Response | jsonrpc.ErrorResponse) -> None:
        """It has answered something; what was not asked is passed over."""
        future = self._asked.pop(message.id, None)
        if future is None or future.done():
            return
        if isinstance(message, jsonrpc.Response):
            future.set_result(message.result)
        else:
            future.set_exception(CannotAnswer(message.error.message))

    def withdraw(self, id_: jsonrpc.RequestId) -> None:
        """An answer is not wanted any more."""
        self._asked.pop(id_, None)

    def leave(self) -> None:
        """It is gone."""
        self.outbox.close()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(ClientGone("the client has left"))
        self._asked.clear()
        self.threads.clear()
