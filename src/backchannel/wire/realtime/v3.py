"""The v3 dialect: Codex's live protocol, full duplex and without turns of the client.

The voice decides itself when to speak, and no call waits for an answer. A text has no role but may have a channel,
which says whether it may be spoken. Long texts go in pieces of 500 bytes. Nothing may be sent before the server has
confirmed the session.

Source: realtime.md 1.6, 1.7 (outbound), 1.8, 1.11 (inbound), 4.3 and 5.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from backchannel.wire.realtime import events, inbound, intents, outbound
from backchannel.wire.realtime.dialect import Abilities, InstructionChange
from backchannel.wire.realtime.endpoint import AVAS_CALL, Endpoint, Path
from backchannel.wire.realtime.inbound import MalformedError, Message
from backchannel.wire.realtime.outbound import SURELY_ONE_PIECE, Json, Messages, TextPart, capped, encode, pieces, row
from backchannel.wire.realtime.voices import V3_VOICES, default_first

if TYPE_CHECKING:
    from backchannel.wire.realtime.session import SessionSettings

__all__ = ["V3"]

_RATE_HZ: Final = 24_000


# Outbound


class _AppendAudio(msgspec.Struct, tag="input_audio.append", gc=False):
    audio: str


class _AppendContext(msgspec.Struct, tag="session.context.append", omit_defaults=True, kw_only=True, gc=False):
    channel: intents.Channel | None = None
    content: tuple[TextPart]


class _AppendDelegation(msgspec.Struct, tag="delegation.context.append", omit_defaults=True, kw_only=True, gc=False):
    delegation_item_id: str
    channel: intents.Channel | None = None
    content: tuple[TextPart]


def _context(text: str, channel: intents.Channel | None = None) -> Messages:
    if len(text) <= SURELY_ONE_PIECE:
        return (_one_context(text, channel),)
    return tuple([_one_context(piece, channel) for piece in pieces(text)])


def _one_context(text: str, channel: intents.Channel | None) -> bytes:
    return encode(_AppendContext(channel=channel, content=(TextPart("input_text", text),)))


def _delegation(item_id: str, text: str, channel: intents.Channel | None) -> Messages:
    if len(text) <= SURELY_ONE_PIECE:
        return (_one_delegation(item_id, text, channel),)
    return tuple([_one_delegation(item_id, piece, channel) for piece in pieces(text)])


def _one_delegation(item_id: str, text: str, channel: intents.Channel | None) -> bytes:
    content = (TextPart("input_text", text),)
    return encode(_AppendDelegation(delegation_item_id=item_id, channel=channel, content=content))


def _append_audio(intent: intents.AppendAudio) -> Messages:
    return (encode(_AppendAudio(audio=intent.audio)),)


def _add_text(intent: intents.AddText) -> Messages:
    return _context(intent.text)


def _mirror(intent: intents.MirrorTyped) -> Messages:
    return _context(capped(intent.text, max_tokens=outbound.MAX_MIRRORED_TOKENS))


def _speak(intent: intents.SpeakText) -> Messages:
    return _context(capped(intent.text), "speakable") if intent.text.strip() else ()


def _report(intent: intents.ReportProgress) -> Messages:
    if intent.handoff_id is not None:
        return _delegation(intent.handoff_id, capped(intent.text), intent.channel)
    return _context(capped(intent.text), intent.channel) if intent.text.strip() else ()


def _report_as_item(intent: intents.ReportAsItem) -> Messages:
    text = outbound.item_text(intent)
    return _context(text, intent.channel) if text else ()


def _finish(intent: intents.FinishHandoff) -> Messages:
    return _delegation(intent.handoff_id, capped(intent.output), intent.channel) if intent.is_news else ()


def _session(settings: SessionSettings) -> Json:
    delegation: Json = {"type": "client"}
    if settings.ack_filler is not None:
        delegation["ack_filler"] = settings.ack_filler
    session: Json = {
        "instructions": settings.instructions,
        "audio": {"output": {"voice": settings.voice}},
        "delegation": delegation,
    }
    if settings.initial_items:
        session["initial_items"] = [outbound.initial_item(item) for item in settings.initial_items]
    return session


def _update(intent: intents.UpdateSession) -> Messages:
    return (encode({"type": "session.update", "session": _session(intent.settings)}),)


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
        row(intents.ChangeInstructions, outbound.nothing),
        row(intents.UpdateSession, _update),
        row(intents.CloseSession, outbound.nothing),
    )
)


# Inbound


class _SessionStarted(inbound.SessionUpdated, tag="session.started"):
    pass


class _Audio(Message, tag="output_audio.delta"):
    audio: str

    def event(self) -> events.AudioOut:
        return events.AudioOut(data=self.audio, rate_hz=_RATE_HZ, channels=1)


class _Transcript(msgspec.Struct, gc=False):
    text: str


class _InputTranscript(Message, tag="input_transcript.added"):
    item: _Transcript

    def event(self) -> events.InputTranscriptDelta:
        return events.InputTranscriptDelta(delta=self.item.text)


class _OutputTranscript(Message, tag="output_transcript.added"):
    item: _Transcript

    def event(self) -> events.OutputTranscriptDelta:
        return events.OutputTranscriptDelta(delta=self.item.text)


class _Turn(msgspec.Struct, gc=False):
    role: str
    transcript: str


class _TurnDone(Message, tag="turn.done"):
    turn: _Turn

    def event(self) -> events.InputTranscriptDone | events.OutputTranscriptDone:
        match self.turn.role:
            case "user":
                return events.InputTranscriptDone(text=self.turn.transcript)
            case "assistant":
                return events.OutputTranscriptDone(text=self.turn.transcript)
            case _:
                raise MalformedError("expected user or assistant as turn.role")


class _Part(msgspec.Struct, gc=False):
    type: object = None
    text: object = None


class _Delegation(msgspec.Struct, gc=False):
    type: str
    target: str
    id: str
    content: list[_Part | inbound.OtherJson]


class _DelegationCreated(Message, tag="delegation.created"):
    item: _Delegation

    def event(self) -> events.HandoffRequested:
        item = self.item
        if item.type != "delegation" or item.target != "client":
            raise MalformedError("expected a delegation to the client as item")
        text = ""
        for part in item.content:
            if isinstance(part, _Part) and part.type == "input_text" and isinstance(part.text, str):
                text += part.text
        return events.HandoffRequested(handoff_id=item.id, item_id=item.id, text=text)


class V3:
    """The v3 dialect."""

    name: Final = "v3"
    voices: Final = default_first(V3_VOICES, "cove")
    default_model: Final = "gpt-live-1-codex"
    endpoint: Final = Endpoint(path=Path.LIVE, alpha="quicksilver=v2", call_query=AVAS_CALL)
    abilities: Final = Abilities(
        creates_responses=False,
        truncates=False,
        answers_tool_calls=False,
        carries_roles=False,
        replaces_active_handoff=True,
        names_requests=True,
        completes_transcripts=True,
        mixes_transcripts=True,
        tells_speech=False,
        waits_for_session=True,
        configures_sideband=False,
        text_modality=False,
        transcribes=False,
        initial_items=True,
        speaks_by_channel=True,
        streams_reports=True,
        instruction_change=InstructionChange.NONE,
        announces_close=False,
        abnormal_close_is_error=True,
    )

    encode = staticmethod(outbound.encoder(_WRITERS))
    decode = staticmethod(
        inbound.decoder(
            (
                _Audio,
                _InputTranscript,
                _OutputTranscript,
                _TurnDone,
                _DelegationCreated,
                _SessionStarted,
                inbound.SessionUpdated,
                inbound.Error,
            )
        )
    )

    def call_session(self, settings: SessionSettings) -> Json:
        """The session as the creation of a call describes it."""
        return {**_session(settings), "model": settings.model or self.default_model}
