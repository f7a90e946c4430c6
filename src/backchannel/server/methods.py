"""What the modules of methods have in common: how a method is refused, and where the thread is that it names."""

from __future__ import annotations

import dataclasses
import uuid
from typing import TYPE_CHECKING, TypeVar

import msgspec

from backchannel.wire import jsonrpc

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from backchannel.server.app import App
    from backchannel.server.live_thread import LiveThread
    from backchannel.server.peer import Peer

__all__ = ["Methods", "Refused", "check_thread_id", "find_live", "row"]

_P = TypeVar("_P", bound=msgspec.Struct)
_R = TypeVar("_R")


class Refused(Exception):
    """A request is refused."""

    def __init__(self, message: str, *, code: int = jsonrpc.INVALID_REQUEST) -> None:
        super().__init__(message)
        self.problem = jsonrpc.RpcError(code, message)

    @classmethod
    def of(cls, problem: jsonrpc.RpcError) -> Refused:
        """Refused with this."""
        refused = cls(problem.message)
        refused.problem = problem
        return refused


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Methods:
    """Some of the methods: those that are done at once, and those that take their time."""

    at_once: dict[str, Callable[[Peer, msgspec.Struct], msgspec.Struct]] = dataclasses.field(default_factory=dict)
    in_time: dict[str, Callable[[Peer, msgspec.Struct], Awaitable[msgspec.Struct]]] = dataclasses.field(
        default_factory=dict
    )


def row(kind: type[_P], handler: Callable[[Peer, _P], _R]) -> Callable[[Peer, msgspec.Struct], _R]:
    """A handler of parameters of one kind."""

    def handle(peer: Peer, params: msgspec.Struct) -> _R:
        if not isinstance(params, kind):
            raise TypeError(f"the table of methods says {kind.__name__}, not {type(params).__name__}")
        return handler(peer, params)

    return handle


def check_thread_id(thread_id: str) -> None:
    """Make sure that it could be the id of a thread.

    Raises:
        Refused: It could not.
    """
    try:
        uuid.UUID(thread_id)
    except ValueError as exc:
        raise Refused(f"invalid thread id: {exc}") from None


def find_live(app: App, thread_id: str) -> LiveThread:
    """A loaded thread.

    Raises:
        Refused: There is none with this id.
    """
    live = app.threads.get(thread_id)
    if live is None:
        check_thread_id(thread_id)
        raise Refused(f"thread not found: {thread_id}")
    return live
