"""What a thread and its parts need of the server around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine

    import msgspec

    from backchannel.server.questions import Question
    from backchannel.threads import Thread, ThreadStore

__all__ = ["Services"]


class Services(Protocol):
    """What a thread needs of the server around it."""

    def tell(self, thread_id: str, method: str, params: msgspec.Struct) -> None:
        """Tell the clients that are subscribed to a thread."""

    def ask(
        self, thread_id: str, method: str, params: msgspec.Struct, answered: Callable[[msgspec.Raw | None], None]
    ) -> Question:
        """Ask the clients that are subscribed; the first answer counts, None when none of them can give one."""

    def keep(self, thread: Thread, write: Callable[[ThreadStore], object]) -> None:
        """Write something of a thread into the store, in order; the thread itself is made there first."""

    def start(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Run something that belongs to the server."""

    def now_ms(self) -> int:
        """The time, in milliseconds since the epoch."""

    def new_id(self) -> str:
        """An id that nothing else has."""
