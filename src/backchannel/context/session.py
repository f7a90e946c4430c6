"""What a realtime session is going to be: what was asked for at its start, over what is configured, over our defaults.

| | the first of these that is given |
|---|---|
| dialect | request, configuration, v2; for an existing call request, v1 |
| model | request, configuration, the dialect's |
| voice | request, configuration, the dialect's |
| prompt | configuration (not blank), request (a text as it is; null for none), our own |
| startup context | none where the request wants none; configuration (also an empty one), what was gathered |
| instructions for the agent | request, configuration, our own |

Source: realtime.md 1.3 and 3.1 to 3.5.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Final

import msgspec

from backchannel import core
from backchannel.errors import UsageError
from backchannel.wire.realtime import (
    DEFAULT_DIALECT,
    LISTED_VOICES,
    TOOLS,
    Modality,
    SessionSettings,
    check_session,
    dialect_named,
)

if TYPE_CHECKING:
    from backchannel.config import Config, Realtime
    from backchannel.wire.realtime import Dialect, InitialItem

__all__ = ["DEFAULT_ORIGINATOR", "ResolvedSession", "StartRequest", "Way", "resolve_session", "session_headers"]

DEFAULT_ORIGINATOR: Final = "backchannel"
"""Who opens sessions where nobody else says so; then no header does."""

_VERSION_OF_CALLS: Final = "v1"
"""What a call speaks whose creator asked for no version."""


class Way(enum.Enum):
    """How a session is reached."""

    WEBSOCKET = "websocket"
    WEBRTC = "webrtc"
    EXISTING_CALL = "existing_call"
    """A call that somebody else created and configured."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What somebody asks for who starts a session; None leaves the choice to the configuration."""

    way: Way = Way.WEBSOCKET
    version: str | None = None
    model: str | None = None
    voice: str | None = None
    modality: Modality = Modality.AUDIO
    prompt: str | msgspec.UnsetType | None = dataclasses.field(default=msgspec.UNSET, repr=False)
    """A text, which may be empty; None for none; unset for our own."""
    include_startup_context: bool | None = None
    """None for yes, where a session can be told it."""
    initial_items: tuple[InitialItem, ...] = dataclasses.field(default=(), repr=False)
    ack_filler: bool | None = None
    start_instructions: str | None = dataclasses.field(default=None, repr=False)
    """What the agent is told when the conversation begins."""
    end_instructions: str | None = dataclasses.field(default=None, repr=False)
    thread_id: str | None = None
    """Of the thread that the conversation belongs to."""
    session_id: str | None = None
    """None for the thread's id; for an existing call for none."""
    voice_session_id: str | None = None
    """What the client calls this session in its own records."""
    originator: str | None = None
    """The client, where it is another than we are."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedSession:
    """What a session is going to be."""

    dialect: Dialect
    settings: SessionSettings = dataclasses.field(repr=False)
    options: core.Options
    start_instructions: str | None = dataclasses.field(default=None, repr=False)
    """What the agent is told when the conversation begins; None for our own words."""
    end_instructions: str | None = dataclasses.field(default=None, repr=False)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    """What its requests carry besides the protocol's and the provider's headers."""


def resolve_session(
    config: Config, request: StartRequest, *, default_prompt: str, startup_context: str = ""
) -> ResolvedSession:
    """Decide what a session is going to be.

    Args:
        config: What is configured.
        request: What is asked for.
        default_prompt: The instructions of the voice where nobody gives others.
        startup_context: What was gathered for it; empty for nothing.

    Raises:
        UsageError: It cannot be had; says what was given, what is allowed and where to change it.
    """
    realtime = config.realtime
    dialect = dialect_named(request.version or _usual_version(realtime, request))
    start = _first(request.start_instructions, realtime.start_instructions)
    end = _first(request.end_instructions, realtime.end_instructions)
    if request.way is Way.EXISTING_CALL:
        _check_unconfigured(request)
        settings = SessionSettings(instructions="", voice="", session_id=request.session_id)
        # There is nothing of the session to check, but the instructions are the agent's.
        checked = msgspec.structs.replace(settings, voice=dialect.voices[0])
    else:
        context = _startup_context(realtime, request, gathered=startup_context)
        checked = settings = SessionSettings(
            instructions="\n\n".join(filter(None, (_prompt(realtime, request, default=default_prompt), context))),
            voice=_voice(realtime, request, dialect),
            model=request.model or realtime.model or dialect.default_model,
            mode=realtime.type,
            modality=request.modality,
            tools=tuple(tool for name, tool in TOOLS.items() if name in realtime.tools),
            initial_items=request.initial_items,
            ack_filler=request.ack_filler,
            session_id=_first(request.session_id, request.thread_id),
        )
    check_session(dialect, checked, start_instructions=start, end_instructions=end)
    return ResolvedSession(
        dialect=dialect,
        settings=settings,
        options=core.Options(
            speech=core.Speech(realtime.speech),
            quiet_ms=realtime.quiet_ms,
            mirror_typed_text=realtime.mirror_typed_text,
            reconnect=realtime.reconnect,
            give_up_after_s=realtime.give_up_after_s,
            rotate_after_s=realtime.rotate_after_s or None,
            fatal_errors=realtime.errors == "fatal",
            on_screen_risks=tuple(map(core.Risk, realtime.on_screen_risks)),
            approval_expires_s=realtime.approval_expires_s,
        ),
        start_instructions=start,
        end_instructions=end,
        headers=session_headers(request),
    )


def session_headers(request: StartRequest) -> dict[str, str]:
    """What the requests of a session say about whom it belongs to. Source: realtime.md 1.3."""
    originator = request.originator if request.originator != DEFAULT_ORIGINATOR else None
    headers = {
        "originator": originator,
        "session-id": request.thread_id,
        "thread-id": request.thread_id,
        "voice-session-id": request.voice_session_id,
    }
    return {name: value for name, value in headers.items() if value is not None}


def _first(*given: str | None) -> str | None:
    """The first that is given; an empty text is."""
    return next((text for text in given if text is not None), None)


def _usual_version(realtime: Realtime, request: StartRequest) -> str:
    if request.way is Way.EXISTING_CALL:
        return _VERSION_OF_CALLS
    return realtime.version or DEFAULT_DIALECT


def _prompt(realtime: Realtime, request: StartRequest, *, default: str) -> str:
    if realtime.prompt is not None and realtime.prompt.strip():
        return realtime.prompt
    if isinstance(request.prompt, msgspec.UnsetType):
        return default
    return request.prompt or ""


def _startup_context(realtime: Realtime, request: StartRequest, *, gathered: str) -> str:
    if request.include_startup_context is False:
        return ""
    return gathered if realtime.startup_context is None else realtime.startup_context


def _voice(realtime: Realtime, request: StartRequest, dialect: Dialect) -> str:
    if request.voice is not None:
        return request.voice
    if realtime.voice is None or realtime.voice in dialect.voices:
        return realtime.voice or dialect.voices[0]
    raise UsageError(
        f"{dialect.name} has no voice {realtime.voice!r}; choose one of: {', '.join(LISTED_VOICES[dialect.name])}"
        " (realtime.voice in the configuration, or --voice)"
    )


def _check_unconfigured(request: StartRequest) -> None:
    given = {
        "prompt": request.prompt is not msgspec.UNSET,
        "startup context": request.include_startup_context is True,
        "initial items": bool(request.initial_items),
        "model": request.model is not None,
        "voice": request.voice is not None,
        "output modality": request.modality is not Modality.AUDIO,
        "delegation ack filler": request.ack_filler is not None,
    }
    named = ", ".join(name for name, is_given in given.items() if is_given)
    if named:
        raise UsageError(
            f"an existing realtime call is already configured, so these cannot be set: {named}; leave them out, or"
            " create the call here"
        )
