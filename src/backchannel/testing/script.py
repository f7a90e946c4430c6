"""What a scripted server does on a connection: a list of steps, and what went wrong with them."""

from __future__ import annotations

import abc
import asyncio
import dataclasses
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from backchannel.errors import LocalProtocolError

if TYPE_CHECKING:
    from backchannel.testing.connection import ReceivedFrame, ScriptedConnection

__all__ = [
    "AcceptAfter",
    "AnswerOffer",
    "Close",
    "Drop",
    "Expect",
    "Pause",
    "Refuse",
    "Run",
    "Script",
    "ScriptError",
    "Send",
    "SendBinary",
    "Step",
    "name_of",
    "of_type",
    "read_script",
]


class ScriptError(AssertionError):
    """A script could not go on as written, or what a test waited for did not come; the text shows what arrived."""


class Step(abc.ABC):
    """One thing that a scripted connection does."""

    __slots__ = ()

    @abc.abstractmethod
    async def perform(self, connection: ScriptedConnection) -> None:
        """Do it.

        Raises:
            ScriptError: It could not be done.
        """


class _Opening(Step):
    """A step that is done before there is a connection."""

    __slots__ = ()

    async def perform(self, connection: ScriptedConnection) -> None:
        raise AssertionError(f"the server did this before connection {connection.number} was accepted")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AcceptAfter(_Opening):
    """Answer the handshake only after a while. Stands at the beginning of a script."""

    delay_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Refuse(_Opening):
    """Answer the handshake with an HTTP status instead of a websocket. The last step, before anything was sent."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: types.MappingProxyType({}))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AnswerOffer(_Opening):
    """Answer the POST that creates a WebRTC call, as a server of realtime calls does. The last step.

    The offer and what stood around it are in the handshake's `body`.
    """

    sdp: str
    location: str | None = "/v1/realtime/calls/rtc_test"
    """The header that names the call; None leaves it out."""
    status: int = 201


@dataclasses.dataclass(frozen=True, slots=True)
class Expect(Step):
    """Wait for a frame of this type, or one that a predicate accepts; the frames before it are passed over.

    What was passed over stays recorded (`ScriptedConnection.skipped`): realtime clients stream audio all the time, so
    a script names what it needs, and the test judges the rest.
    """

    what: str | Callable[[ReceivedFrame], bool]
    timeout_s: float = dataclasses.field(default=5.0, kw_only=True)

    def accepts(self, frame: ReceivedFrame) -> bool:
        """Whether this is the frame waited for."""
        return frame.type == self.what if isinstance(self.what, str) else self.what(frame)

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await connection.expect(self)

    def __str__(self) -> str:
        return repr(self.what) if isinstance(self.what, str) else f"a frame that {name_of(self.what)} accepts"


@dataclasses.dataclass(frozen=True, slots=True)
class Send(Step):
    """Send a text frame: a text as it is, anything else as JSON."""

    message: str | Mapping[str, object] | Sequence[object]

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await connection.send(self.message)


@dataclasses.dataclass(frozen=True, slots=True)
class SendBinary(Step):
    """Send a binary frame."""

    data: bytes

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await connection.send_binary(self.data)


@dataclasses.dataclass(frozen=True, slots=True)
class Pause(Step):
    """Do nothing for a while; frames are still received."""

    duration_s: float

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await asyncio.sleep(self.duration_s)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Close(Step):
    """Close the websocket with a close frame."""

    code: int = 1000
    reason: str = ""

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await connection.close(code=self.code, reason=self.reason)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drop(Step):
    """Cut the TCP connection without a close frame; before anything was sent, without an answer to the handshake."""

    before_handshake: bool = False

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        connection.drop()


@dataclasses.dataclass(frozen=True, slots=True)
class Run(Step):
    """Do whatever a coroutine function does; what it raises is a failure of the script."""

    act: Callable[[ScriptedConnection], Awaitable[None]]

    async def perform(self, connection: ScriptedConnection) -> None:
        """See `Step`."""
        await self.act(connection)


Script: TypeAlias = Sequence[Step] | Callable[["ScriptedConnection"], Awaitable[None]]
"""What happens on one connection: steps, or a coroutine function (the same as one `Run`)."""


def of_type(type_name: str) -> Callable[[ReceivedFrame], bool]:
    """A predicate for `wait_for`: JSON objects whose `type` is this."""

    def is_of_type(frame: ReceivedFrame) -> bool:
        return frame.type == type_name

    is_of_type.__qualname__ = f"of_type({type_name!r})"
    return is_of_type


def read_script(script: Script) -> tuple[Step, ...]:
    """Bring a script into the form of steps.

    Raises:
        LocalProtocolError: A step stands where it cannot happen.
    """
    if callable(script):
        return (Run(script),)
    steps = tuple(script)
    for position, step in enumerate(steps):
        last = position == len(steps) - 1
        ahead = all(isinstance(before, AcceptAfter) for before in steps[:position])
        if isinstance(step, AcceptAfter | AnswerOffer | Refuse) and not ahead:
            raise LocalProtocolError(f"{type(step).__name__} belongs at the beginning of a script")
        if isinstance(step, Drop) and step.before_handshake and not ahead:
            raise LocalProtocolError("Drop(before_handshake=True) belongs at the beginning of a script")
        if isinstance(step, AnswerOffer | Refuse | Close | Drop) and not last:
            raise LocalProtocolError(f"nothing can follow {type(step).__name__} in a script")
    return steps


def name_of(predicate: Callable[[ReceivedFrame], bool]) -> str:
    """How a message names a predicate."""
    if isinstance(predicate, types.FunctionType):
        return predicate.__qualname__.rpartition("<locals>.")[2]
    return repr(predicate)
