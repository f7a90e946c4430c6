"""From a client's message to the method that it asks for, and back to the answer.

Requests of one client are done in the order in which they came. What takes its time keeps the others waiting, up to a
bound; beyond that a request is refused at once, so that every request has an answer and nothing piles up. The
microphone's audio never waits.

Source: app-server.md 1.1 to 1.4.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from backchannel.server.account_methods import account_methods
from backchannel.server.methods import Refused
from backchannel.server.realtime_methods import realtime_methods
from backchannel.server.thread_methods import thread_methods
from backchannel.server.tracing import traced
from backchannel.server.turn_methods import turn_methods
from backchannel.wire import appserver, jsonrpc

if TYPE_CHECKING:
    import msgspec

    from backchannel.server.app import App
    from backchannel.server.methods import Methods
    from backchannel.server.peer import Peer
    from backchannel.server.tracing import Traced

__all__ = ["MAX_WAITING", "Dialogue", "Dispatcher"]

_log = logging.getLogger(__name__)

MAX_WAITING: Final = 256
"""So many requests of a client may wait."""
_AUDIO: Final = "thread/realtime/appendAudio"


class Dispatcher:
    """Knows all methods."""

    def __init__(self, app: App) -> None:
        parts: tuple[Methods, ...] = (
            account_methods(app),
            thread_methods(app),
            turn_methods(app),
            realtime_methods(app),
        )
        self.at_once = {name: method for part in parts for name, method in part.at_once.items()}
        self.in_time = {name: method for part in parts for name, method in part.in_time.items()}


class Dialogue:
    """What one client asks, and what it is answered.

    Ownership: whoever made it runs `run` until it is cancelled, and gives it the messages.
    """

    def __init__(self, dispatcher: Dispatcher, peer: Peer) -> None:
        self._dispatcher = dispatcher
        self._peer = peer
        self._waiting: asyncio.Queue[tuple[jsonrpc.Request, msgspec.Struct]] = asyncio.Queue(maxsize=MAX_WAITING)
        self._is_busy = False

    def receive(self, message: bytes | str) -> None:
        """Take a message of the client."""
        match jsonrpc.decode(message):
            case jsonrpc.Request() as request:
                self._request(request)
            case jsonrpc.Response() | jsonrpc.ErrorResponse() as answer:
                self._peer.answered(answer)
            case jsonrpc.Notification():
                # Only `initialized` is one, and says nothing that is not known.
                pass
            case jsonrpc.Undecodable(reason=reason):
                _log.warning("! a message that cannot be read is passed over: %s", reason)

    async def run(self) -> None:
        """Do what takes its time."""
        while True:
            request, params = await self._waiting.get()
            self._is_busy = True
            try:
                if request.method in self._dispatcher.at_once:
                    self._do_at_once(request, params)
                else:
                    await self._do_in_time(request, params)
            finally:
                self._is_busy = False
                self._waiting.task_done()

    async def idle(self) -> None:
        """Wait until everything that was asked is answered."""
        await self._waiting.join()

    def _request(self, request: jsonrpc.Request) -> None:
        params = appserver.decode_params(request.method, request.params)
        if isinstance(params, jsonrpc.RpcError):
            self._peer.refuse(request.id, params)
            return
        problem = self._out_of_place(request.method, params)
        if problem is not None:
            self._peer.refuse(request.id, problem)
            return
        has_to_wait = self._is_busy or not self._waiting.empty()
        if request.method in self._dispatcher.at_once and (not has_to_wait or request.method == _AUDIO):
            self._do_at_once(request, params)
            return
        try:
            self._waiting.put_nowait((request, params))
        except asyncio.QueueFull:
            self._peer.send(jsonrpc.overloaded(request.id))

    def _out_of_place(self, method: str, params: msgspec.Struct) -> jsonrpc.RpcError | None:
        """Why a request is refused that can be read."""
        is_introduction = method == "initialize"
        if self._peer.info is None and not is_introduction:
            return jsonrpc.RpcError(jsonrpc.INVALID_REQUEST, "Not initialized")
        if self._peer.info is not None and is_introduction:
            return jsonrpc.RpcError(jsonrpc.INVALID_REQUEST, "Already initialized")
        return None if self._peer.may_experiment else appserver.requires_experimental_api(method, params)

    def _do_at_once(self, request: jsonrpc.Request, params: msgspec.Struct) -> None:
        if request.method == _AUDIO:
            # There is too much of it for spans.
            self._answer_at_once(request, params)
            return
        with traced(request) as trace:
            self._answer_at_once(request, params, trace)

    def _answer_at_once(self, request: jsonrpc.Request, params: msgspec.Struct, trace: Traced | None = None) -> None:
        try:
            result = self._dispatcher.at_once[request.method](self._peer, params)
        except Exception as exc:
            self._refuse(request, exc, trace)
        else:
            self._peer.answer(request.id, result)

    async def _do_in_time(self, request: jsonrpc.Request, params: msgspec.Struct) -> None:
        with traced(request) as trace:
            try:
                result = await self._dispatcher.in_time[request.method](self._peer, params)
            except Exception as exc:
                self._refuse(request, exc, trace)
            else:
                self._peer.answer(request.id, result)

    def _refuse(self, request: jsonrpc.Request, exc: Exception, trace: Traced | None) -> None:
        problem = exc.problem if isinstance(exc, Refused) else _internal(request, exc)
        if trace is not None:
            trace.refused(problem)
        self._peer.refuse(request.id, problem)


def _internal(request: jsonrpc.Request, exc: Exception) -> jsonrpc.RpcError:
    # The boundary of a request: a bug fails it and no other.
    _log.error("! %s failed", request.method, exc_info=exc)
    return jsonrpc.RpcError(
        code=jsonrpc.INTERNAL_ERROR,
        message=f"{request.method} failed: {type(exc).__name__}; please report this with the server's log",
    )
