"""What clients are asked: the first answer of any of them counts.

Who leaves may come back and is asked again, so a question that nobody is there to answer waits. One that all who are
there answer with an error would wait for good, so it is given up.
"""

from __future__ import annotations

import asyncio
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

Decision: TypeAlias = Literal["approved", "declined", "cancelled", "unanswered"]
"""Of a client: to go on, to go on without it, to stop the turn, or that nobody there knows such questions."""

_YES: Final = ("accept", "acceptForSession")
_log = logging.getLogger(__name__)


class Question:
    """A request of the server that waits for an answer.

    Args:
        thread_id: What it is about.
        method: Of the request.
        params: Of the request.
        answered: Is told the answer; None when all who were asked cannot give one.
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
        self._cannot: set[Peer] = set()
        """Of those, who answered with an error."""

    def put_to(self, peer: Peer) -> None:
        """Ask a client, unless it has been."""
        if peer not in self._asked:
            self._asked[peer] = asked = peer.ask(self._method, self._params)
            self._start("question", self._wait(peer, asked[1]))

    def take_from(self, peer: Peer) -> None:
        """It is not this client's to answer any more."""
        asked = self._asked.pop(peer, None)
        if asked is not None:
            self._cannot.discard(peer)
            self._forget(peer, *asked)
            self._give_up_if_nobody_can()

    def withdraw(self) -> None:
        """No answer is wanted any more."""
        for peer, asked in self._asked.items():
            self._forget(peer, *asked)

    def _forget(self, peer: Peer, request_id: jsonrpc.RequestId, future: asyncio.Future[msgspec.Raw]) -> None:
        peer.withdraw(request_id)
        future.cancel()
        told = appserver.ServerRequestResolvedNotification(thread_id=self._thread_id, request_id=request_id)
        peer.tell("serverRequest/resolved", told)

    async def _wait(self, peer: Peer, future: asyncio.Future[msgspec.Raw]) -> None:
        try:
            answer = await future
        except CannotAnswer as exc:
            _log.warning("! a client cannot answer %s: %s", self._method, exc)
            self._cannot.add(peer)
        except ClientGone:
            self._asked.pop(peer, None)
            self._cannot.discard(peer)
        except asyncio.CancelledError:
            return
        else:
            self._answered(answer)
            return
        self._give_up_if_nobody_can()

    def _give_up_if_nobody_can(self) -> None:
        if self._asked and len(self._cannot) == len(self._asked):
            self._answered(None)


def decision_of(method: str, answer: msgspec.Raw) -> Decision:
    """What a client answers to a request for permission; whatever is no plain yes declines."""
    match appserver.decode_answer(method, answer):
        case (
            appserver.CommandExecutionRequestApprovalResponse(decision=decision)
            | appserver.FileChangeRequestApprovalResponse(decision=decision)
        ):
            if decision in _YES:
                return "approved"
            return "cancelled" if decision == "cancel" else "declined"
        case _:
            return "declined"
