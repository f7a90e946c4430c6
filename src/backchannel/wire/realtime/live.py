"""The live dialect: the public GPT-Live protocol (`/v1/live/sessions`), where the application does the work.

It is no spelling of v3, though both are full duplex. What differs on the wire, as the public client library's types
(openai 3.52, `types/live`) declare it:

| | v3 | live |
|---|---|---|
| path | `/v1/live`, model in the query | `/v1/live/sessions`, model in the session |
| first message | `session.update` | `session.start`, with format of the audio and history under `input` |
| audio in, out | `input_audio.append`, `output_audio.delta` | the same behind `session.`, out in `delta`, not `audio` |
| transcripts | pieces, and turns that are done | pieces with their times only |
| handing over | the item with its text | an id and a time, no text |
| what the agent says | context with a channel | `session.commentary.append` or `session.thinking.append` |
| its end | the websocket closes | `session.close`, answered by `session.closed` with a reason |

Since a handoff has no text, the request is what the user said since the last one: the transcript tells. The id of the
delegation is kept as id of handoff and item; of the times, where a delegation was decided (`offset_ms`) and how far a
piece of the user's transcript reaches (`end_ms`), because a transcript may come later than the handoff that needs it.
The ids of events, the beginnings of pieces and the acknowledgements are not kept.

A text has no role. The user's typed text is marked by its prefix; a developer's text becomes instructions. What the
agent says may be spoken (commentary) when it is final, and is silent (thinking) while the work goes on, unless a
channel is chosen. One text may have 500 tokens; 500 bytes never have more, so pieces are cut as in v3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.wire.realtime import events, inbound, intents, outbound
from backchannel.wire.realtime.dialect import Abilities, InstructionChange
from backchannel.wire.realtime.endpoint import Endpoint, Path
from backchannel.wire.realtime.inbound import MalformedError, Message
from backchannel.wire.realtime.outbound import (
    SURELY_ONE_PIECE,
    USER_PREFIX,
    Json,
    Messages,
    capped,
    encode,
    pieces,
    prefixed,
    row,
)
from backchannel.wire.realtime.voices import LIVE_VOICES, default_first

if TYPE_CHECKING:
    from backchannel.wire.realtime.session import SessionSettings

__all__ = ["Live"]

_RATE_HZ: Final = 24_000


# Outbound


class _AppendAudio(msgspec.Struct, tag="session.input_audio.append", gc=False):
    audio: str


class _Append(msgspec.Struct, gc=False):
    content: str
    delegation_id: str | None
    """Null has to be said."""


class _AppendThinking(_Append, tag="session.thinking.append"):
    pass


class _AppendCommentary(_Append, tag="session.commentary.append"):
    pass


class _AppendInstructions(_Append, tag="session.instructions.append"):
    pass


def _append(
    kind: type[_Append],
    text: str,
    delegation_id: str | None = None,
    max_tokens: int | None = outbound.MAX_REPORT_TOKENS,
) -> Messages:
    # What is said most asks for `SURELY_ONE_PIECE` itself, since a call is a tenth of the time that it takes.
    whole = text if max_tokens is None else capped(text, max_tokens=max_tokens)
    return tuple([encode(kind(piece, delegation_id)) for piece in pieces(whole)])


def _append_audio(intent: intents.AppendAudio) -> Messages:
    return (encode(_AppendAudio(audio=intent.audio)),)


def _add_text(intent: intents.AddText) -> Messages:
    text = intent.text
    if not text.strip():
        return ()
    if intent.role == "user":
        text = prefixed(USER_PREFIX, text)
    kind = _AppendInstructions if intent.role == "developer" else _AppendThinking
    if len(text) <= SURELY_ONE_PIECE:
        return (encode(kind(text, None)),)
    return _append(kind, text, max_tokens=None)


def _mirror(intent: intents.MirrorTyped) -> Messages:
    if not intent.text.strip():
        return ()
    return _append(_AppendThinking, prefixed(USER_PREFIX, intent.text), max_tokens=outbound.MAX_MIRRORED_TOKENS)


def _speak(intent: intents.SpeakText) -> Messages:
    return _append(_AppendCommentary, intent.text) if intent.text.strip() else ()


def _report(intent: intents.ReportProgress) -> Messages:
    text = intent.text
    if not text.strip():
        return ()
    is_silent = intent.phase == "commentary" if intent.channel is None else intent.channel == "commentary"
    kind = _AppendThinking if is_silent else _AppendCommentary
    if len(text) <= SURELY_ONE_PIECE:
        return (encode(kind(text, intent.handoff_id)),)
    return _append(kind, text, intent.handoff_id)


def _report_as_item(intent: intents.ReportAsItem) -> Messages:
    text = outbound.item_text(intent)
    kind = _AppendCommentary if intent.channel == "speakable" else _AppendThinking
    return _append(kind, text) if text else ()


def _finish(intent: intents.FinishHandoff) -> Messages:
    text = intent.output
    if not intent.is_news or not text.strip():
        return ()
    kind = _AppendThinking if intent.channel == "commentary" else _AppendCommentary
    if len(text) <= SURELY_ONE_PIECE:
        return (encode(kind(text, intent.handoff_id)),)
    return _append(kind, text, intent.handoff_id)


def _change_instructions(intent: intents.ChangeInstructions) -> Messages:
    return _append(_AppendInstructions, intent.instructions, max_tokens=None) if intent.instructions.strip() else ()


def _session(settings: SessionSettings, audio: Json) -> Json:
    session: Json = {
        "model": settings.model or Live.default_model,
        "instructions": settings.instructions,
        "audio": {**audio, "output": {"voice": settings.voice}},
        "delegation": {"type": "client"},
    }
    if settings.initial_items:
        session["input"] = [outbound.initial_item(item) for item in settings.initial_items]
    return session


def _start(intent: intents.UpdateSession) -> Messages:
    session = _session(intent.settings, {"format": outbound.PCM_FORMAT})
    return (encode({"type": "session.start", "session": session}),)


_SESSION_CLOSE: Final = (encode({"type": "session.close"}),)


def _close(_: intents.CloseSession) -> Messages:
    return _SESSION_CLOSE


_WRITERS: Final = dict(
    (
        row(intents.AppendAudio, _append_audio),
        row(intents.AddText, _add_text),
        row(intents.MirrorTyped, _mirror),
        row(intents.SpeakText, _speak),
        row(intents.ReportProgress, _report),
        row(intents.ReportAsItem, _report_as_item),
        row(intents.FinishHandoff, _finish),
        row(intents.AnswerCall, outbound.nothing),
        row(intents.RequestResponse, outbound.nothing),
        row(intents.Truncate, outbound.nothing),
        row(intents.ChangeInstructions, _change_instructions),
        row(intents.UpdateSession, _start),
        row(intents.CloseSession, _close),
    )
)


# Inbound


class _SessionStarted(inbound.SessionUpdated, tag="session.started"):
    pass


class _Audio(Message, tag="session.output_audio.delta"):
    delta: str

    def event(self) -> events.AudioOut:
        return events.AudioOut(data=self.delta, rate_hz=_RATE_HZ, channels=1)


class _InputTranscript(Message, tag="session.input_transcript.delta"):
    delta: str
    end_ms: object = None

    def event(self) -> events.InputTranscriptDelta:
        end_ms = self.end_ms
        return events.InputTranscriptDelta(delta=self.delta, end_ms=end_ms if type(end_ms) is int else None)


class _OutputTranscript(inbound.OutputText, tag="session.output_transcript.delta"):
    pass


class _Delegation(msgspec.Struct, gc=False):
    id: str
    target: str


class _DelegationCreated(Message, tag="session.delegation.created"):
    delegation: _Delegation
    offset_ms: object = None

    def event(self) -> events.HandoffRequested:
        delegation = self.delegation
        if delegation.target != "client":
            raise MalformedError("expected client as delegation.target")
        offset_ms = self.offset_ms if type(self.offset_ms) is int else None
        return events.HandoffRequested(handoff_id=delegation.id, item_id=delegation.id, text="", offset_ms=offset_ms)


_SESSION_CLOSED: Final = "session.closed"
_ENDINGS: Final = {
    # The same code as in v2, so that one rule serves both.
    "expired": ("session_expired", "the session has reached the server's time limit"),
    "content": ("session_closed_for_content", "the server ended the session because of what was said in it"),
    "connection_lost": ("session_connection_lost", "the server lost the connection that the session depends on"),
}
"""What an ending means that nobody asked for."""


class _SessionClosed(Message, tag=_SESSION_CLOSED):
    reason: str

    def event(self) -> events.ServerError | events.Skipped:
        if self.reason in ("close_requested", "remote_hangup"):
            # We or the other side wanted it: the close of the transport, which follows, says all there is to say.
            return events.Skipped(kind=_SESSION_CLOSED)
        code, message = _ENDINGS.get(self.reason, ("session_closed", f"the server ended the session: {self.reason}"))
        return events.ServerError(message=message, code=code)


class Live:
    """The live dialect."""

    name: Final = "live"
    voices: Final = default_first(LIVE_VOICES, "marin")
    default_model: Final = "gpt-live-1"
    endpoint: Final = Endpoint(path=Path.LIVE_SESSIONS, model_in_query=False)
    abilities: Final = Abilities(
        creates_responses=False,
        truncates=False,
        answers_tool_calls=False,
        carries_roles=False,
        replaces_active_handoff=True,
        names_requests=False,
        completes_transcripts=False,
        mixes_transcripts=True,
        tells_speech=False,
        waits_for_session=True,
        configures_sideband=False,
        text_modality=False,
        transcribes=False,
        initial_items=True,
        speaks_by_channel=True,
        streams_reports=False,
        instruction_change=InstructionChange.APPEND,
        announces_close=True,
        abnormal_close_is_error=True,
    )

    encode = staticmethod(outbound.encoder(_WRITERS))
    decode = staticmethod(
        inbound.decoder(
            (
                _Audio,
                _InputTranscript,
                _OutputTranscript,
                _DelegationCreated,
                _SessionStarted,
                inbound.SessionUpdated,
                _SessionClosed,
                inbound.Error,
            )
        )
    )

    def call_session(self, settings: SessionSettings) -> Json:
        """The session as the creation of a call describes it; the call itself agrees on the format of its audio."""
        return _session(settings, {})
