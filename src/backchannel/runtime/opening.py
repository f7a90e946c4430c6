"""What a conversation is made of, and how the way to its realtime session is opened: by websocket or by call.

| way | the settings are given | the conversation has started when |
|---|---|---|
| websocket | first thing on it; some dialects confirm them | it is open, and they are confirmed |
| WebRTC | with the call; by some dialects again on the sideband | the call is answered; its sideband is joined later |
| existing call | never: its creator gave them | its sideband is joined |

Source: realtime.md 1.4 and 3.6.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.core import events as happened
from backchannel.errors import AuthError, BackchannelError, ConnectError, UsageError
from backchannel.runtime.call import create_call, join_sideband
from backchannel.runtime.dial import await_session, dial, without_key
from backchannel.runtime.transport import Join, OverExistingCall, OverWebRtc, OverWebSocket, check_unconfigured
from backchannel.wire.realtime import unexpected_close

if TYPE_CHECKING:
    from backchannel import core
    from backchannel.context import ResolvedSession
    from backchannel.net import Closed, WebSocket
    from backchannel.runtime.dial import Target
    from backchannel.runtime.transport import Transport
    from backchannel.wire.realtime import CallAnswer, Dialect, SessionSettings, intents

__all__ = [
    "Opened",
    "Settings",
    "configures",
    "ending",
    "existing_call",
    "open_failure",
    "open_way",
    "rejoin",
    "sideband",
    "with_transport_options",
]

_BUSY: Final = (409, 429)
"""The server has a session of ours, and takes no second one."""
_OVER: Final = (404, 410)
"""The call whose session was to be joined is unknown to the server, or over."""

_BROKEN_RULES: Final = (1002, 1007, 1009)
"""With these codes we end a connection on which something forbidden came (RFC 6455, 7.4.1)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a conversation is made of.

    Raises:
        UsageError: The session of an existing call is configured; only the call's creator can do that.
    """

    target: Target
    dialect: Dialect
    session: SessionSettings
    """For an existing call: empty instructions, an empty voice and nothing else, except perhaps a session id."""
    options: core.Options
    transport: Transport = dataclasses.field(default_factory=OverWebSocket)
    start_instructions: str | None = None
    """What the agent is told when the conversation begins; None for our own text."""
    end_instructions: str | None = None
    """What it is told when it ends; likewise."""

    @classmethod
    def of(cls, session: ResolvedSession, *, target: Target, transport: Transport | None = None) -> Settings:
        """The settings for a session that was resolved (`context.resolve_session`).

        Args:
            session: What it is going to be.
            target: The server; its requests carry the session's headers too.
            transport: How it is reached; None for one websocket.

        Raises:
            UsageError: As of the constructor.
        """
        return cls(
            target=dataclasses.replace(target, headers={**target.headers, **session.headers}),
            dialect=session.dialect,
            session=session.settings,
            options=session.options,
            transport=transport or OverWebSocket(),
            start_instructions=session.start_instructions,
            end_instructions=session.end_instructions,
        )

    def __post_init__(self) -> None:
        if isinstance(self.transport, OverExistingCall):
            check_unconfigured(self.session)
        elif self.session.model is None and self.target.model is not None:
            named = msgspec.structs.replace(self.session, model=self.target.model)
            object.__setattr__(self, "session", named)  # frozen


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """How far an opening came."""

    socket: WebSocket | None = None
    """None while the sideband is still to be joined."""
    unread: str | None = dataclasses.field(default=None, repr=False)
    """A message that was already taken from it."""
    call: CallAnswer | None = None
    """The call that was created."""
    join: Join = dataclasses.field(default_factory=Join)
    """How patiently its sideband is joined."""


async def open_way(settings: Settings) -> Opened:
    """Open the way to a session.

    Raises:
        UsageError: The target cannot be used as it is configured.
        ConnectError: The server could not be reached or refused. Nothing is left to close.
        RemoteProtocolError: The server answered the creation of a call by something else.
    """
    match settings.transport:
        case OverWebSocket():
            return await _over_websocket(settings)
        case OverWebRtc(offer_sdp=offer_sdp, join=join):
            call = await create_call(settings.target, settings.dialect, settings.session, offer_sdp)
            return Opened(call=call, join=join)
        case OverExistingCall(call_id=call_id, join=join):
            return Opened(socket=await sideband(settings, call_id, join))


async def _over_websocket(settings: Settings) -> Opened:
    dialect, session = settings.dialect, settings.session
    socket = await dial(settings.target, endpoint=dialect.endpoint, model=session.model, session_id=session.session_id)
    if not dialect.abilities.waits_for_session:
        return Opened(socket=socket)
    try:
        return Opened(socket=socket, unread=await await_session(socket, settings.target, dialect, session))
    except BaseException:
        await socket.close()
        raise


async def sideband(settings: Settings, call_id: str, join: Join) -> WebSocket:
    """Join the session of a call; see `join_sideband`."""
    session_id = settings.session.session_id
    return await join_sideband(settings.target, settings.dialect, call_id, session_id=session_id, join=join)


def configures(settings: Settings) -> bool:
    """Whether the settings are the first message of a conversation that has started; else the server has them."""
    match settings.transport:
        case OverWebSocket():
            return not settings.dialect.abilities.waits_for_session
        case OverWebRtc():
            return settings.dialect.abilities.configures_sideband
        case OverExistingCall():
            return False


def with_transport_options(settings: Settings) -> Settings:
    """The settings, in which the core is told how the dialect and the way behave."""
    abilities = settings.dialect.abilities
    is_call = not isinstance(settings.transport, OverWebSocket)
    options = msgspec.structs.replace(
        settings.options,
        creates_responses=abilities.creates_responses,
        speaks_by_channel=abilities.speaks_by_channel,
        streams_reports=abilities.streams_reports,
        names_requests=abilities.names_requests,
        completes_transcripts=abilities.completes_transcripts,
        mixes_transcripts=abilities.mixes_transcripts,
        tells_speech=abilities.tells_speech,
        replaces_active_handoff=abilities.replaces_active_handoff,
        session_outlives_way=is_call,
        # A call has one session, which ends with it.
        rotate_after_s=None if is_call else settings.options.rotate_after_s,
    )
    return dataclasses.replace(settings, options=options)


def existing_call(settings: Settings) -> str | None:
    """The call that the conversation is to join; None when it begins otherwise."""
    return settings.transport.call_id if isinstance(settings.transport, OverExistingCall) else None


async def rejoin(settings: Settings, call_id: str) -> Opened:
    """Join the session of a running call again, with one try: when to try again is decided by the core.

    Raises:
        UsageError, ConnectError: As of `join_sideband`.
    """
    return Opened(socket=await sideband(settings, call_id, Join(n_retries=0)))


def open_failure(exc: BackchannelError, *, chance: float) -> happened.OpenFailed:
    """What a way that could not be opened is to a conversation."""
    is_busy = isinstance(exc, ConnectError) and exc.status in _BUSY
    is_over = isinstance(exc, ConnectError) and exc.stage == "sideband" and exc.status in _OVER
    return happened.OpenFailed(
        message=str(exc),
        is_final=isinstance(exc, UsageError | AuthError),
        is_over=is_over,
        is_busy=is_busy,
        chance=chance,
    )


def ending(
    settings: Settings, closed: Closed, *, unsent: tuple[intents.Intent, ...], chance: float
) -> happened.TransportClosed | happened.TransportFailed:
    """What the end of a websocket is to a conversation. Source: realtime.md 1.5."""
    if not closed.clean:
        # The server is gone without a goodbye, or sent what could not be read: an error in every dialect.
        is_final = closed.code in _BROKEN_RULES
        return happened.TransportFailed(message=closed.reason, is_final=is_final, unsent=unsent, chance=chance)
    detail = f": {without_key(settings.target, closed.reason)}" if closed.reason else ""
    wrong = unexpected_close(settings.dialect.abilities, closed.code)
    if wrong is not None:
        return happened.TransportFailed(message=wrong + detail, unsent=unsent, chance=chance)
    said = "without a code" if closed.code is None else f"code {closed.code}"
    return happened.TransportClosed(message=said + detail, code=closed.code, unsent=unsent, chance=chance)
