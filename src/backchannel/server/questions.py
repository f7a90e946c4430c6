"""What clients are asked: the first answer of any of them counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from backchannel.server.peer import ClientGone
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import msgspec

    from backchannel.server.peer import Peer
    from backchannel.wire import jsonrpc

__all__ = ["Question"]


class Question:
    """A request of the server that waits for an answer.

    Args:
        thread_id: What it is about.
        method: Of the request.
        params: Of the request.
        answered: Is told the answer.
        start: Runs something that belongs to the server.
    """

    def __init__(
        self,
        thread_id: str,
        method: str,
        params: msgspec.Struct,
        *,
        answered: Callable[[msgspec.Raw | None], None],
        start: Callable[[str, Coroutine[object, object, None]], object],
    ) -> None:
        self._thread_id = thread_id
        self._method = method
        self._params = params
        self._answered = answered
        self._start = start
        self._asked: dict[Peer, tuple[jsonrpc.RequestId, asyncio.Future[msgspec.Raw]]] = {}

    def put_to(self, peer: Peer) -> None:
        """Ask a client, unless it has been."""
        if peer not in self._asked:
            self._asked[peer] = asked = peer.ask(self._method, self._params)
            self._start("question", self._wait(asked[1]))

    def withdraw(self) -> None:
        """No answer is wanted any more."""
        for peer, (request_id, future) in self._asked.items():
            peer.withdraw(request_id)
            future.cancel()
            told = appserver.ServerRequestResolvedNotification(thread_id=self._thread_id, request_id=request_id)
            peer.tell("serverRequest/resolved", told)

    async def _wait(self, future: asyncio.Future[msgspec.Raw]) -> None:
        try:
            self._answered(await future)
        except (ClientGone, asyncio.CancelledError):
            # Another client may answer, or the voice.
            return
