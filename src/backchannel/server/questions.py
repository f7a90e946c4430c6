"""What clients are asked: the first answer of any of them counts.

Who leaves may come back and is asked again, so a question that nobody is there to answer waits. One that all who are
there answer with an error would wait for good, so it is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from backchannel.server.peer import CannotAnswer, ClientGone
from backchannel.wire import appserver

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import msgspec

    from backchannel.server.peer import Peer
    from backchannel.wire import jsonrpc

__all__ = ["Decision", "Question", "decision_of"]

Decision: TypeAlias = Literal["approved", "approved for good", "declined", "cancelled", "unanswered"]
"""Of a client: to go on, this time or always; to go on without it; to stop the turn; or that nobody there knows such
questions."""

_Asked: TypeAlias = "tuple[jsonrpc.RequestId, asyncio.Future[msgspec.Raw]]"
_DECISIONS: Final[dict[object, Decision]] = {
    "accept": "approved",
    "acceptForSession": "approved for good",
    "cancel": "cancelled",
}
_log = logging.getLogger(__name__)


class Question:
    """A request of the server that waits for an answer.

    Args:
        thread_id: What it is about.
        method: Of the request.
        params: Of the request.
        answered: Is told the answer, unless it was withdrawn; None when all who were asked cannot give one.
        over: Is told that it is withdrawn.
        start: Runs something that belongs to the server.
    """

    def __init__(
        self,
        thread_id: str,
        method: str,
        params: msgspec.Struct,
        *,
        answered: Callable[[msgspec.Raw | None], None],
        over: Callable[[Question], None],
        start: Callable[[str, Coroutine[object, object, None]], object],
    ) -> None:
        self._thread_id = thread_id
        self._method = method
        self._params = params
        self._answered = answered
        self._over = over
        self._start = start
        self._asked: dict[Peer, _Asked] = {}
        self._cannot: set[Peer] = set()
        """Of those, who answered with an error."""

    def put_to(self, peer: Peer) -> None:
        """Ask a client, unless it has been."""
        if peer not in self._asked:
            self._asked[peer] = asked = peer.ask(self._method, self._params)
            self._start("question", self._wait(peer, asked))

    def take_from(self, peer: Peer) -> None:
        """It is not this client's to answer any more."""
        asked = self._asked.pop(peer, None)
        if asked is not None:
            self._cannot.discard(peer)
            self._forget(peer, asked)
            self.reconsider()

    def withdraw(self) -> None:
        """No answer is wanted any more, not even one that has just come."""
        asked, self._asked = self._asked, {}
        for peer, each in asked.items():
            self._forget(peer, each)
        self._over(self)

    def reconsider(self) -> None:
        """Give up, if all who are there cannot answer."""
        if self._asked and self._cannot >= self._asked.keys():
            self._answered(None)

    def _forget(self, peer: Peer, asked: _Asked) -> None:
        request_id, future = asked
        peer.withdraw(request_id)
        future.cancel()
        told = appserver.ServerRequestResolvedNotification(thread_id=self._thread_id, request_id=request_id)
        peer.tell("serverRequest/resolved", told)

    async def _wait(self, peer: Peer, asked: _Asked) -> None:
        answer: msgspec.Raw | None = None
        with contextlib.suppress(ClientGone, asyncio.CancelledError):
            try:
                answer = await asked[1]
            except CannotAnswer as exc:
                _log.warning("! a client cannot answer %s: %s", self._method, exc)
                if self._asked.get(peer) is asked:
                    self._cannot.add(peer)
                    self.reconsider()
        if answer is not None and self._asked.get(peer) is asked:
            self._answered(answer)


def decision_of(method: str, answer: msgspec.Raw) -> Decision:
    """What a client answers to a request for permission; whatever is no plain yes declines."""
    match appserver.decode_answer(method, answer):
        case (
            appserver.CommandExecutionRequestApprovalResponse(decision=decision)
            | appserver.FileChangeRequestApprovalResponse(decision=decision)
        ):
            return _DECISIONS.get(decision, "declined") if isinstance(decision, str) else "declined"
        case _:
            return "declined"
